import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import WebSocket from 'ws';

export interface AddressAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every kind.
  readonly body: any;
}

export interface AddressClient {
  call(method: string, url: string, headers?: Record<string, string>, body?: object): Promise<AddressAnswer>;
  /** The status and the headers of the answer to a handshake; 101 when it is open, until `socket` is closed. */
  connect(url: string, headers?: Record<string, string>): Promise<AddressAnswer & { socket: WebSocket }>;
}

/** A client that calls from this address of the loopback network, as if from another machine. Linux has them all. */
export function callFrom(localAddress: string, maxSockets = 50): AddressClient {
  const agent = new Agent({ keepAlive: true, localAddress, maxSockets });
  onTestFinished(() => agent.destroy());
  return {
    async call(method, url, headers = {}, body) {
      const { promise, resolve, reject } = Promise.withResolvers<AddressAnswer>();
      const json = body === undefined ? {} : { 'content-type': 'application/json' };
      const sent = request(url, { method, agent, headers: { ...json, ...headers } }, (answer) => {
        const { statusCode = 0, headers: answered } = answer;
        text(answer).then((all) => {
          resolve({ status: statusCode, headers: answered, body: all === '' ? null : JSON.parse(all) });
        }, reject);
      });
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
      return promise;
    },
    async connect(url, headers = {}) {
      const { promise, resolve, reject } = Promise.withResolvers<AddressAnswer & { socket: WebSocket }>();
      const socket = new WebSocket(url, { headers, localAddress });
      onTestFinished(() => socket.terminate());
      socket.on('open', () => resolve({ status: 101, headers: {}, body: null, socket }));
      socket.on('unexpected-response', (_request, answer) => {
        const { statusCode = 0, headers: answered } = answer;
        text(answer).then((all) => {
          resolve({ status: statusCode, headers: answered, body: JSON.parse(all), socket });
        }, reject);
      });
      socket.on('error', reject);
      return promise;
    },
  };
}
