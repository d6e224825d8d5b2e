import { cancelOwned } from '../runs/cancel-owned.ts';
import type { RunService } from '../runs/service.ts';
import { LiveCredentials } from '../security/live-credentials.ts';
import { TicketVerifier } from '../security/ticket-verifier.ts';
import { Tickets } from '../security/tickets.ts';
import type { Storage } from '../storage/types.ts';
import { requestedSession } from '../ws/handshake.ts';
import type { Keys } from './keys.ts';

export interface CredentialParts {
  readonly keys: Keys;
  readonly storage: Pick<Storage, 'unfinishedRuns'>;
  readonly runs: Pick<RunService, 'cancel'>;
  readonly report: (stage: string, error: unknown) => void;
  readonly opened: AsyncDisposableStack;
}

export interface Credentials {
  readonly live: LiveCredentials;
  readonly tickets: Tickets;
  readonly ticketVerifier: TicketVerifier;
}

/** What credentials keep open, and what ends with them: whose key is revoked, its runs end too. */
export function createCredentials({ keys, storage, runs, report, opened }: CredentialParts): Credentials {
  const live = new LiveCredentials({
    kinds: ['key'],
    recheck: (principal) => keys.verifier.recheck(principal),
    onRevoked: ({ tenantId, id: ownerId }) => {
      cancelOwned({ storage, runs }, { tenantId, ownerId }).catch((error: unknown) =>
        report('cancelling the runs of a revoked key', error),
      );
    },
    report,
  });
  opened.defer(() => live.close());
  opened.defer(keys.service.onChanged(() => void live.look()));
  const tickets = new Tickets();
  const ticketVerifier = new TicketVerifier({ tickets, live, sessionOf: requestedSession });
  return { live, tickets, ticketVerifier };
}
