import type { AuthSession } from '@llmgine/protocol/wire';
import type { CallOptions } from './sessions.ts';
import type { Transport } from './transport.ts';

/** Who speaks, and the cookie of pages. Every method rejects with `LlmgineError`. */
export class Auth {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Turns a token into a cookie. With it, give `csrfToken` of what is answered to the client. */
  login(token: string, options: CallOptions = {}): Promise<AuthSession> {
    return this.#transport.json('POST', '/api/auth/login', { body: { token }, ...options });
  }

  session(options: CallOptions = {}): Promise<AuthSession> {
    return this.#transport.json('GET', '/api/auth/session', options);
  }

  /** The cookie counts no more. */
  async logout(options: CallOptions = {}): Promise<void> {
    await this.#transport.json('POST', '/api/auth/logout', options);
  }
}
