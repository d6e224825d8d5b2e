/**
 * What publishes the keys of an identity provider, for tests: a real HTTP server. By default it serves `keys`; `respond` makes
 * it do anything else. `requests` has each request that came, so it is also a sink that shows that nothing came.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JWK } from 'jose';
import { onTestFinished } from 'vitest';

export class KeySetServer {
  readonly requests: IncomingMessage[] = [];
  keys: readonly JWK[];
  respond: ((response: ServerResponse, request: IncomingMessage) => void) | null = null;
  readonly #server = createServer((request, response) => {
    this.requests.push(request);
    if (this.respond) return this.respond(response, request);
    response.setHeader('content-type', 'application/jwk-set+json');
    response.end(JSON.stringify({ keys: this.keys }));
  });

  constructor(keys: readonly JWK[]) {
    this.keys = keys;
  }

  /** Where the keys are. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/keys`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Closed when the test ends. */
export async function startKeySetServer(...keys: JWK[]): Promise<KeySetServer> {
  const server = new KeySetServer(keys);
  await server.listen();
  onTestFinished(() => server.close());
  return server;
}
