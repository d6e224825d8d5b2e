import { KeyService } from '../security/keys/service.ts';
import { KeyUses } from '../security/keys/uses.ts';
import { KeyVerifier } from '../security/keys/verifier.ts';
import type { Storage } from '../storage/types.ts';

export interface Keys {
  readonly service: KeyService;
  readonly verifier: KeyVerifier;
}

/** Who holds a key, and who makes them. What is changed here holds here at once, and elsewhere within a second. */
export function createKeys(
  { keys: storage }: Pick<Storage, 'keys'>,
  report: (stage: string, error: unknown) => void,
  opened: AsyncDisposableStack,
): Keys {
  const uses = new KeyUses({ storage, now: Date.now, report });
  opened.defer(() => uses.stop());
  const verifier = new KeyVerifier({ storage, uses });
  const service = new KeyService({ storage });
  service.onChanged(({ keyId }) => verifier.forget(keyId));
  return { service, verifier };
}
