/** Sockets of load clients, to a plain subject or to a session of the server. */
import { WebSocket } from 'ws';

export interface Target {
  readonly kind: 'server' | 'plain';
  /** `ws://` of a plain subject, `http://` of the server. */
  readonly url: string;
}

export async function openSocket(target: Target): Promise<WebSocket> {
  const address =
    target.kind === 'server' ? socketAddress(target.url, await newSession(target.url)) : target.url;
  const socket = new WebSocket(address, { perMessageDeflate: false });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return socket;
}

/** In slices: a thousand handshakes at once would measure the backlog of the listening socket. */
export async function openSockets(target: Target, count: number): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  while (sockets.length < count) {
    const slice = Array.from({ length: Math.min(50, count - sockets.length) }, () => openSocket(target));
    sockets.push(...(await Promise.all(slice)));
  }
  return sockets;
}

export async function newSession(url: string): Promise<string> {
  const response = await fetch(`${url}/api/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ engine_type: 'SinglePassEngine' }),
  });
  if (response.status !== 201) throw new Error(`no session: ${response.status} ${await response.text()}`);
  const { session_id } = (await response.json()) as { session_id: string };
  return session_id;
}

export function socketAddress(url: string, sessionId: string): string {
  return `${url.replace(/^http/, 'ws')}/api/sessions/${sessionId}/ws`;
}
