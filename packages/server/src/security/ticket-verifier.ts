import type { IncomingMessage } from 'node:http';
import { TICKET_SUBPROTOCOL_PREFIX } from '@llmgine/protocol';
import type { CredentialVerifier } from './authenticate.ts';
import type { LiveCredentials } from './live-credentials.ts';
import type { Principal } from './principal.ts';
import { foreignSign } from './same-machine.ts';
import type { Tickets } from './tickets.ts';

export interface TicketVerifierParts {
  readonly tickets: Pick<Tickets, 'redeem'>;
  readonly live: Pick<LiveCredentials, 'current'>;
  /** The session whose WebSocket a request asks for; null for a request that asks for none. */
  readonly sessionOf: (request: IncomingMessage) => string | null;
}

/** Knows the holders of tickets, which are offered as they stand in the subprotocol, with its prefix. */
export class TicketVerifier implements CredentialVerifier {
  readonly #parts: TicketVerifierParts;

  constructor(parts: TicketVerifierParts) {
    this.#parts = parts;
  }

  async verify(offered: string, request: IncomingMessage): Promise<Principal | null> {
    if (!offered.startsWith(TICKET_SUBPROTOCOL_PREFIX)) return null;
    const { tickets, live, sessionOf } = this.#parts;
    const sessionId = sessionOf(request);
    if (sessionId === null) return null;
    const { origin } = request.headers;
    const holder = tickets.redeem(offered.slice(TICKET_SUBPROTOCOL_PREFIX.length), { sessionId, origin });
    if (!holder) return null;
    // Who was let in for sitting at this machine has nothing to take elsewhere.
    if (holder.local && foreignSign(request)) return null;
    // Its credential may have been revoked since.
    return live.current(holder);
  }
}
