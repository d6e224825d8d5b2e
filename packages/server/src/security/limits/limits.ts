import type { IncomingMessage } from 'node:http';
import type { APIConfig } from '../../config.ts';
import { type Abuse, Guard } from '../abuse/guard.ts';
import type { Authenticator } from '../authenticate.ts';
import { type ClientAddress, createClientAddress, sourceOf } from '../client-address.ts';
import type { Principal } from '../principal.ts';
import { callerOf } from './caller.ts';
import { ConnectionLimits } from './connection-limits.ts';
import { guardAuthenticator } from './guarded-authenticator.ts';
import { RateLimited } from './rate-limited.ts';
import { type Quota, RateLimiter } from './rate-limiter.ts';

/**
 * What callers and addresses may do in a time, and at once. What is counted lives as long as the process. What a caller's
 * own limit has refused does not count for its address: others behind it would have less.
 */
export class Limits {
  /** From where a request comes. */
  readonly clientAddress: ClientAddress;
  readonly #requests: RateLimiter;
  readonly #addresses: RateLimiter;
  readonly #connections: ConnectionLimits;
  readonly #guard: Guard;

  /** Throws `ConfigError`. */
  constructor(config: APIConfig, onAbuse: (abuse: Abuse) => void) {
    const { values } = config;
    this.clientAddress = createClientAddress(config);
    this.#requests = new RateLimiter({ policy: 'default', limit: values.requestRate });
    this.#addresses = new RateLimiter({ policy: 'address', limit: values.addressRate });
    this.#connections = new ConnectionLimits({
      perCaller: values.maxConnectionsPerCaller,
      perSource: values.maxConnectionsPerAddress,
    });
    this.#guard = new Guard({ onAbuse });
  }

  /** The same authenticator, for addresses that are neither too fast nor blocked. */
  guard(authenticator: Authenticator): Authenticator {
    return guardAuthenticator({
      authenticator,
      clientAddress: this.clientAddress,
      addresses: this.#addresses,
      guard: this.#guard,
    });
  }

  /** Counts a request of a known caller. Null on the same machine, where there is no limit. Throws `RateLimited`. */
  countRequest(request: IncomingMessage, principal: Principal): Quota | null {
    if (principal.local) return null;
    const taken = this.#requests.take(callerOf(principal));
    if (taken.retryAfter === 0) return taken.quota;
    this.#addresses.giveBack(this.#source(request));
    throw new RateLimited('Too many requests', taken);
  }

  /** Counts a connection until the function is called. Throws `RESOURCE_LIMIT_EXCEEDED`. */
  openConnection(request: IncomingMessage, principal: Principal): () => void {
    const source = this.#source(request);
    try {
      return this.#connections.open(principal, source);
    } catch (error) {
      this.#addresses.giveBack(source);
      throw error;
    }
  }

  /** A known caller has asked for a session that is not there for it. Resolves when that may be answered. */
  sessionMissed(request: IncomingMessage, principal: Principal, sessionId: string): Promise<void> {
    return this.#guard.sessionMissed(principal, this.#source(request), sessionId);
  }

  /** Answers that are held back are given now. */
  close(): void {
    this.#guard.close();
  }

  #source(request: IncomingMessage): string {
    return sourceOf(this.clientAddress(request));
  }
}
