import type { IncomingMessage } from 'node:http';
import { ApiError, TICKET_SUBPROTOCOL_PREFIX } from '@llmgine/protocol';
import type { Guard } from '../abuse/guard.ts';
import { type Authenticator, offeredKey } from '../authenticate.ts';
import { cookieOf } from '../browser-sessions/cookie.ts';
import { type ClientAddress, sourceOf } from '../client-address.ts';
import type { Principal } from '../principal.ts';
import { RateLimited } from './rate-limited.ts';
import type { RateLimiter } from './rate-limiter.ts';

export interface GuardedAuthenticatorOptions {
  readonly authenticator: Authenticator;
  readonly clientAddress: ClientAddress;
  /** How fast an address may come. */
  readonly addresses: RateLimiter;
  readonly guard: Guard;
}

/**
 * Asks who is calling only where the address is not blocked and not too fast, and holds it against the address when the
 * credential is not valid. Whoever is let in as a caller on the same machine is neither counted nor blocked. Rejects
 * with `RATE_LIMITED` besides what the authenticator does.
 */
export function guardAuthenticator(options: GuardedAuthenticatorOptions): Authenticator {
  const { authenticator, clientAddress, addresses, guard } = options;

  async function known(source: string, offered: string, ask: () => Promise<Principal>): Promise<Principal> {
    // Nobody guesses tickets, and who has a right one was let in already, perhaps as a caller on the same machine.
    if (offered.startsWith(TICKET_SUBPROTOCOL_PREFIX)) {
      count(source);
      return ask();
    }
    admit(source);
    try {
      return await ask();
    } catch (error) {
      if (isRefusal(error)) {
        await guard.credentialFailed(source, offered);
        // Of many at once, those behind the one that was too many hear no more than those that come later.
        guard.admitSource(source);
      }
      throw error;
    }
  }

  /** It looks nothing up, so it comes before the limits, which are not for the same machine. */
  async function anonymous(request: IncomingMessage, source: string): Promise<Principal> {
    try {
      const principal = await authenticator.authenticate(request);
      if (!principal.local) admit(source);
      return principal;
    } catch (error) {
      // Who has no credential does not guess, so this is not held against anybody.
      admit(source);
      throw error;
    }
  }

  /** A cookie is looked up, so it comes behind the limits; nobody guesses one, so a wrong one is held against nobody. */
  async function withCookie(request: IncomingMessage, source: string): Promise<Principal> {
    admit(source);
    const principal = await authenticator.authenticate(request);
    if (principal.local) addresses.giveBack(source);
    else admitCaller(principal, source);
    return principal;
  }

  function admit(source: string): void {
    guard.admitSource(source);
    count(source);
  }

  function count(source: string): void {
    const taken = addresses.take(source);
    if (taken.retryAfter > 0) throw new RateLimited('Too many requests from this address', taken);
  }

  /** What a blocked caller sends takes nothing from the others at its address. */
  function admitCaller(principal: Principal, source: string): void {
    try {
      guard.admitCaller(principal);
    } catch (error) {
      addresses.giveBack(source);
      throw error;
    }
  }

  return {
    async verify(offered, request) {
      const source = sourceOf(clientAddress(request));
      return known(source, offered, () => authenticator.verify(offered, request));
    },
    async authenticate(request, credential) {
      const source = sourceOf(clientAddress(request));
      const offered = offeredKey(request.headers) ?? credential;
      if (offered === undefined) {
        return cookieOf(request.headers) === null ? anonymous(request, source) : withCookie(request, source);
      }
      const principal = await known(source, offered, () => authenticator.authenticate(request, credential));
      if (principal.local) addresses.giveBack(source);
      admitCaller(principal, source);
      return principal;
    },
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'UNAUTHENTICATED';
}
