/** Watches one session, or one broadcast, on many sockets; the first of them also asks for what is to be seen. */
import type { WebSocket } from 'ws';
import { answerPlans, now, until } from '../lib/client-child.ts';
import { openSockets, replyOf, type Target } from '../lib/sockets.ts';

/** A frame: milliseconds after the beginning, and its length in bytes. */
export type Beat = readonly [at: number, length: number];

export interface WatchersPart {
  /** Of the server. */
  readonly session?: string;
  readonly watchers: number;
  /** Frames that the first socket sends: one at the beginning, each of the others at the end of an answer. */
  readonly requests: readonly string[];
  /** Every watcher waits for so many ends of answers. */
  readonly ends: number;
}

export interface WatchersSeen {
  /** What each socket saw: how many frames, and the characters of their text. */
  readonly sockets: readonly { readonly frames: number; readonly text: number }[];
  /** Of the first socket. */
  readonly rhythm: readonly Beat[];
}

interface Frame {
  readonly type: string;
  readonly data?: { readonly event_type: string; readonly payload: { readonly text?: string } };
}

answerPlans(async (plan: WatchersPart & Target, opened): Promise<WatchersSeen> => {
  const sockets = await openSockets(plan, plan.watchers, plan.session);
  if (plan.kind === 'server') {
    const subscribe = JSON.stringify({ type: 'subscribe', data: {} });
    await Promise.all(sockets.map((socket) => replyOf(socket, subscribe, 'subscribed')));
  }
  const begin = await opened();
  const rhythm: Beat[] = [];
  const requests = [...plan.requests];
  const ask = () => {
    const request = requests.shift();
    if (request !== undefined) sockets[0]?.send(request);
  };
  const seen = sockets.map((socket, index) =>
    watch(socket, plan.ends, index === 0 ? rhythm : null, begin, ask),
  );
  await until(begin);
  ask();
  const result = { sockets: await Promise.all(seen), rhythm };
  for (const socket of sockets) socket.terminate();
  return result;
});

function watch(
  socket: WebSocket,
  ends: number,
  rhythm: Beat[] | null,
  begin: number,
  ask: () => void,
): Promise<{ frames: number; text: number }> {
  return new Promise((resolve, reject) => {
    const seen = { frames: 0, text: 0 };
    let ended = 0;
    socket.on('message', (raw: Buffer) => {
      const { type, data } = JSON.parse(String(raw)) as Frame;
      if (type === 'error') reject(new Error(String(raw)));
      if (type !== 'event') return;
      seen.frames += 1;
      seen.text += data?.payload.text?.length ?? 0;
      rhythm?.push([now() - begin, raw.length]);
      if (data?.event_type !== 'run_finished') return;
      ended += 1;
      if (rhythm) ask();
      if (ended === ends) resolve(seen);
    });
    socket.on('close', () => reject(new Error('a watcher was closed')));
  });
}
