import { createHash, randomBytes } from 'node:crypto';
import { ApiError } from '@llmgine/protocol';
import type { Principal } from './principal.ts';

const TICKET_MS = 30_000;
const TICKET_BYTES = 24;
/** Nobody opens so many sockets at once; and the tickets of one caller take the room of nobody else's. */
const MAX_UNUSED = 100;

/** What a ticket opens, and for whom. */
export interface TicketUse {
  readonly sessionId: string;
  /** The `Origin` header, if there is one. */
  readonly origin: string | undefined;
}

interface Issued extends TicketUse {
  readonly principal: Principal;
  /** Monotonic. */
  readonly until: number;
}

/**
 * Tickets open one WebSocket of one session, once, within 30 seconds, for pages that cannot set headers. Only their digests
 * are kept, and only in this process: behind a load balancer, the socket has to reach the process that gave the ticket.
 */
export class Tickets {
  /** By digest, in the order in which they were issued. */
  readonly #issued = new Map<string, Issued>();
  readonly #unused = new Map<string, number>();

  /** A ticket ends with the credential of its holder, if that is sooner. Throws `RESOURCE_LIMIT_EXCEEDED`. */
  issue(principal: Principal, use: TicketUse): { readonly ticket: string; readonly expiresAt: Date } {
    this.#forgetExpired();
    const owner = ownerOf(principal);
    const unused = this.#unused.get(owner) ?? 0;
    if (unused >= MAX_UNUSED) {
      const message = `At most ${MAX_UNUSED} tickets of a caller may be unused`;
      throw new ApiError('RESOURCE_LIMIT_EXCEEDED', message, { retryAfter: TICKET_MS / 1000 });
    }
    const ticket = randomBytes(TICKET_BYTES).toString('base64url');
    const left = (principal.credential.expiresAt ?? Number.POSITIVE_INFINITY) - Date.now();
    const lasts = Math.min(TICKET_MS, Math.max(left, 0));
    this.#issued.set(digest(ticket), { ...use, principal, until: performance.now() + lasts });
    this.#unused.set(owner, unused + 1);
    return { ticket, expiresAt: new Date(Date.now() + lasts) };
  }

  /**
   * Who the ticket was given to; null when it is none, or is used, has expired, or is for something else. Whatever comes
   * of it, it counts no more.
   */
  redeem(ticket: string, { sessionId, origin }: TicketUse): Principal | null {
    const key = digest(ticket);
    const issued = this.#issued.get(key);
    if (!issued) return null;
    this.#forget(key, issued);
    const isFor = issued.sessionId === sessionId && (issued.origin ?? origin) === origin;
    return isFor && issued.until > performance.now() ? issued.principal : null;
  }

  #forgetExpired(): void {
    const now = performance.now();
    for (const [key, issued] of this.#issued) {
      // Some end before their time; they go with those that were issued at the same one.
      if (issued.until > now) return;
      this.#forget(key, issued);
    }
  }

  #forget(key: string, { principal }: Issued): void {
    this.#issued.delete(key);
    const owner = ownerOf(principal);
    const unused = (this.#unused.get(owner) ?? 1) - 1;
    if (unused === 0) this.#unused.delete(owner);
    else this.#unused.set(owner, unused);
  }
}

function ownerOf({ tenantId, id }: Principal): string {
  return `${tenantId}\n${id}`;
}

function digest(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64url');
}
