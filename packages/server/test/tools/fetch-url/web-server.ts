/** Web servers on loopback, good and bad, that a test lets pass as if they were public. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { publicWeb, type WebGuard } from '../../../src/tools/fetch-url/public-web.ts';

export interface WebServer {
  readonly port: number;
  /** Of the address `127.0.0.1`. */
  readonly url: string;
  readonly requests: readonly IncomingMessage[];
}

/** An HTTP server that lives as long as the test. */
export async function webServer(answer: RequestListener): Promise<WebServer> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  return { ...(await listening(server)), requests };
}

/** A server that says what it wants, whether that is HTTP or not. */
export async function rawServer(answer: (socket: Socket) => void): Promise<WebServer> {
  const server = createTcpServer((socket) => {
    // The other side goes when it has enough.
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    socket.once('data', () => answer(socket));
  });
  return { ...(await listening(server)), requests: [] };
}

export async function listening(server: Server | ReturnType<typeof createTcpServer>) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}` };
}

/** Servers of the test count as public; all else is as it is. */
export function asPublic(...servers: readonly { readonly port: number }[]): WebGuard {
  const real = publicWeb();
  const ports = new Set(servers.map(({ port }) => port));
  return {
    allows: (address, port) => (address === '127.0.0.1' && ports.has(port)) || real.allows(address, port),
  };
}

export function send(response: ServerResponse, type: string, body: string | Uint8Array): void {
  response.writeHead(200, { 'content-type': type }).end(body);
}

/** Sends for as long as somebody reads. */
export function endless(response: ServerResponse | Socket, chunk: Uint8Array): void {
  const more = () => {
    while (!response.destroyed) if (!response.write(chunk)) return void response.once('drain', more);
  };
  more();
}

/** What a name server says to a question for addresses of version 4; of version 6 there are none. */
export type Zone = (name: string) => readonly string[];

/** A name server on loopback, for look-ups that are real. Names without addresses do not exist. */
export async function nameServer(
  zone: Zone,
): Promise<{ readonly servers: string[]; readonly asked: string[] }> {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const { name, type, end } = questionOf(query);
    const addresses = type === 1 ? zone(name) : [];
    if (type === 1) asked.push(name);
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(type === 1 && addresses.length === 0 ? 0x8183 : 0x8180, 2);
    header.writeUInt16BE(addresses.length, 6);
    header.writeUInt32BE(0, 8);
    const answers = addresses.map((one) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...one.split('.').map(Number)]),
    );
    socket.send(Buffer.concat([header, query.subarray(12, end), ...answers]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  return { servers: [`127.0.0.1:${socket.address().port}`], asked };
}

function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 };
}
