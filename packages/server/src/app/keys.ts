import { isInUse, toPrincipal } from '../security/keys/key-principal.ts';
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

const PAGE = 100;

/** Whether there is a key that opens anything. */
export async function hasKeyInUse({ keys: storage }: Pick<Storage, 'keys'>): Promise<boolean> {
  const now = Date.now();
  let before: number | undefined;
  do {
    const { keys, next } = await storage.list({ limit: PAGE, before });
    if (keys.some((row) => isInUse(row, now) && toPrincipal(row) !== null)) return true;
    before = next ?? undefined;
  } while (before !== undefined);
  return false;
}
