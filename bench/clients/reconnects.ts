/** Many sockets, each with a session of its own, that are cut at once and come back at once. */
import type { WebSocket } from 'ws';
import { answerPlans, now, until } from '../lib/client-child.ts';
import { Latencies } from '../lib/latencies.ts';
import { newSession, openSocket, replyOf, type Target } from '../lib/sockets.ts';

export interface ReconnectsPart {
  readonly connections: number;
}

export interface ReconnectsSeen {
  /** Histogram of milliseconds from the cut until a socket is live again. */
  readonly live: string;
}

interface Held {
  socket: WebSocket;
  readonly session?: string;
  /** What says that a socket is live, and with what type it is answered. */
  readonly frame: string;
  readonly answer: string;
}

const SLICE = 50;

answerPlans(async ({ connections, ...target }: ReconnectsPart & Target, opened): Promise<ReconnectsSeen> => {
  const held: Held[] = [];
  while (held.length < connections) {
    const size = Math.min(SLICE, connections - held.length);
    held.push(...(await Promise.all(Array.from({ length: size }, () => hold(target)))));
  }
  const begin = await opened();
  const live = new Latencies();
  await until(begin);
  for (const { socket } of held) socket.terminate();
  await Promise.all(
    held.map(async (one) => {
      one.socket = await openSocket(target, one.session);
      const { resync_required: resync } = await replyOf<Subscribed>(one.socket, one.frame, one.answer);
      if (resync) throw new Error('a cursor was not accepted');
      live.record(now() - begin);
    }),
  );
  for (const { socket } of held) socket.terminate();
  return { live: live.encode() };
});

interface Subscribed {
  readonly cursor: string;
  readonly resync_required?: boolean;
}

async function hold(target: Target): Promise<Held> {
  if (target.kind === 'plain') {
    const frame = JSON.stringify({ type: 'ping', message_id: 1, data: {} });
    return { socket: await openSocket(target), frame, answer: 'pong' };
  }
  const session = await newSession(target.url);
  const socket = await openSocket(target, session);
  const subscribe = JSON.stringify({ type: 'subscribe', data: {} });
  const { cursor } = await replyOf<Subscribed>(socket, subscribe, 'subscribed');
  const frame = JSON.stringify({ type: 'subscribe', data: { after: cursor } });
  return { socket, session, frame, answer: 'subscribed' };
}
