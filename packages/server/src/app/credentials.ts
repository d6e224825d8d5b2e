import { cancelOwned } from '../runs/cancel-owned.ts';
import type { RunService } from '../runs/service.ts';
import type { BrowserSessions } from '../security/browser-sessions/service.ts';
import type { KeyNotice } from '../security/keys/service.ts';
import { LiveCredentials } from '../security/live-credentials.ts';
import { TicketVerifier } from '../security/ticket-verifier.ts';
import { Tickets } from '../security/tickets.ts';
import type { SessionKey, Storage } from '../storage/types.ts';
import { requestedSession } from '../ws/handshake.ts';
import type { Keys } from './keys.ts';

export interface CredentialParts {
  readonly keys: Keys;
  readonly browserSessions: BrowserSessions;
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
export function createCredentials(parts: CredentialParts): Credentials {
  const { keys, browserSessions, storage, runs, report, opened } = parts;
  const cancel = (owner: Pick<SessionKey, 'tenantId' | 'ownerId'>) => {
    cancelOwned({ storage, runs }, owner).catch((error: unknown) =>
      report('cancelling the runs of a revoked key', error),
    );
  };
  const live = new LiveCredentials({
    kinds: ['key', 'session'],
    recheck: (principal) =>
      principal.credential.kind === 'session'
        ? browserSessions.recheck(principal)
        : keys.verifier.recheck(principal),
    onRevoked: (principal) => {
      const { tenantId, id: ownerId, credential } = principal;
      if (credential.kind !== 'session') cancel({ tenantId, ownerId });
      // Who logs out stops nothing; a key that is gone has ended the session, too.
      else live.remember(principal);
    },
    report,
  });
  opened.defer(() => live.close());
  const onChanged = ({ change, wasUsed = true, tenantId, principalId: ownerId }: KeyNotice) => {
    void live.look();
    // Its runs may be older than what is remembered of who began them, for example than this process.
    if (change === 'revoked' && wasUsed) cancel({ tenantId, ownerId });
  };
  opened.defer(keys.service.onChanged(onChanged));
  opened.defer(browserSessions.onEnded(() => void live.look()));
  const tickets = new Tickets();
  const ticketVerifier = new TicketVerifier({ tickets, live, sessionOf: requestedSession });
  return { live, tickets, ticketVerifier };
}
