/** Sockets of load clients, to a plain subject or to a session of the server. */
import { WebSocket } from 'ws';

export interface Target {
  readonly kind: 'server' | 'plain';
  /** `ws://` of a plain subject, `http://` of the server. */
  readonly url: string;
}

/** Of the server: without a session, to a new one. */
export async function openSocket(target: Target, session?: string): Promise<WebSocket> {
  if (target.kind === 'plain') return openAddress(target.url);
  return openAddress(socketAddress(target.url, session ?? (await newSession(target.url))));
}

export async function openAddress(address: string): Promise<WebSocket> {
  const socket = new WebSocket(address, { perMessageDeflate: false });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return socket;
}

/** In slices: a thousand handshakes at once would measure the backlog of the listening socket. */
export async function openSockets(target: Target, count: number, session?: string): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  while (sockets.length < count) {
    const slice = Array.from({ length: Math.min(50, count - sockets.length) }, () =>
      openSocket(target, session),
    );
    sockets.push(...(await Promise.all(slice)));
  }
  return sockets;
}

/** Sends a frame, and resolves with the `data` of the first frame of that type. */
export function replyOf<T>(socket: WebSocket, frame: string, type: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onMessage = (raw: Buffer) => {
      const answer = JSON.parse(String(raw)) as { readonly type: string; readonly data: T };
      if (answer.type !== type && answer.type !== 'error') return;
      settle();
      if (answer.type === type) resolve(answer.data);
      else reject(new Error(String(raw)));
    };
    const onClose = () => {
      settle();
      reject(new Error(`a socket was closed before ${type}`));
    };
    const settle = () => socket.off('message', onMessage).off('close', onClose);
    socket.on('message', onMessage).on('close', onClose);
    socket.send(frame);
  });
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
