/** Requests as they stand on the wire, from any address of the loopback network: what no client library would send. */
import { connect } from 'node:net';

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  /** Header lines. `Host` comes by itself unless one is given. */
  readonly headers?: readonly string[];
  readonly body?: string;
}

/** The status of the answer, with which the connection is given up; 0 when the server closed it without one. Linux has all addresses. */
export async function rawStatus(
  url: string,
  localAddress: string,
  { method = 'GET', path, headers = [], body = '' }: RawRequest,
): Promise<number> {
  const { hostname, port, host } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...(headers.some((line) => /^host:/i.test(line)) ? [] : [`Host: ${host}`]),
    ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]),
    ...headers,
  ];
  const { promise, resolve } = Promise.withResolvers<number>();
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
    if (status !== undefined) resolve(Number(status));
  });
  socket.on('error', () => {});
  socket.on('close', () => resolve(0));
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
  const status = await promise;
  socket.destroy();
  return status;
}
