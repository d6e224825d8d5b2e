/** Sessions and sockets that do nothing, held until the process ends. */
import { WebSocket } from 'ws';
import { answerPlans } from '../lib/client-child.ts';
import { newSession, openSocket, socketAddress, type Target } from '../lib/sockets.ts';

/** How many there are to be; what is held already stays. */
export interface Idle {
  /** Of the server. A plain subject has none. */
  readonly sessions: number;
  readonly sockets: number;
}

/** In slices: a thousand handshakes at once would measure the backlog of the listening socket. */
const SLICE = 50;
const sessions: string[] = [];
const sockets: WebSocket[] = [];

answerPlans(async (plan: Idle & Target): Promise<Idle> => {
  if (plan.kind === 'server') await fill(sessions, plan.sessions, () => newSession(plan.url));
  await fill(sockets, plan.sockets, (index) => {
    const id = sessions[index];
    return openSocket({ kind: 'plain', url: id === undefined ? plan.url : socketAddress(plan.url, id) });
  });
  const open = sockets.filter(({ readyState }) => readyState === WebSocket.OPEN);
  return { sessions: sessions.length, sockets: open.length };
});

async function fill<T>(held: T[], count: number, make: (index: number) => Promise<T>): Promise<void> {
  while (held.length < count) {
    const length = Math.min(SLICE, count - held.length);
    held.push(...(await Promise.all(Array.from({ length }, (_, index) => make(held.length + index)))));
  }
}
