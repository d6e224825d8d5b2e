/** Comes back with a cursor that is many events behind, again and again, and reads them. */
import { answerPlans, now } from '../lib/client-child.ts';
import { Latencies, type Quantiles } from '../lib/latencies.ts';
import { newSession, openSocket, replyOf, type Target } from '../lib/sockets.ts';

export interface Resumes {
  /** In the gap. */
  readonly events: number;
  /** Characters of what each event says. */
  readonly length: number;
  readonly warmUps: number;
  readonly resumes: number;
}

export interface ResumesResult {
  /** Milliseconds from the handshake until the last event is there. */
  readonly whole: Quantiles;
  /** Of all frames with events, per frame. */
  readonly bytes: number;
}

interface Frame {
  readonly type: string;
  readonly data: { readonly seq: number };
}

answerPlans(async (plan: Resumes & Target, opened): Promise<ResumesResult> => {
  const gap = await makeGap(plan);
  for (let count = 0; count < plan.warmUps; count += 1) await resume(plan, gap);
  await opened();
  const whole = new Latencies();
  let bytes = 0;
  for (let count = 0; count < plan.resumes; count += 1) {
    const begin = now();
    bytes += await resume(plan, gap);
    whole.record(now() - begin);
  }
  return { whole: whole.quantiles(), bytes: bytes / plan.resumes / plan.events };
});

interface Gap {
  readonly session?: string;
  readonly after?: string;
}

/** A session with as many events after a cursor; the control has rows instead. */
async function makeGap({ events, length, ...target }: Resumes & Target): Promise<Gap> {
  if (target.kind === 'plain') {
    const fill = JSON.stringify({ type: 'fill', data: { events, length } });
    await replyOf(await openSocket(target), fill, 'filled');
    return {};
  }
  const session = await newSession(target.url);
  const socket = await openSocket(target, session);
  const subscribe = JSON.stringify({ type: 'subscribe', data: {} });
  const { cursor } = await replyOf<{ readonly cursor: string }>(socket, subscribe, 'subscribed');
  const payload = { text: 'x'.repeat(length) };
  const event = JSON.stringify({ type: 'event', data: { event_type: 'custom:bench', payload } });
  for (let count = 0; count < events; count += 1) await replyOf(socket, event, 'event_published');
  socket.terminate();
  return { session, after: cursor };
}

/** Resolves with the bytes of the frames, when all events have come once and in order. */
async function resume({ events, ...target }: Resumes & Target, { session, after }: Gap): Promise<number> {
  const socket = await openSocket(target, session);
  const all = new Promise<number>((resolve, reject) => {
    let [count, last, bytes] = [0, 0, 0];
    socket.on('message', (raw: Buffer) => {
      const { type, data } = JSON.parse(String(raw)) as Frame;
      if (type !== 'event') return;
      if (count > 0 && data.seq !== last + 1) reject(new Error(`${data.seq} came after ${last}`));
      last = data.seq;
      bytes += raw.length;
      count += 1;
      if (count === events) resolve(bytes);
    });
    socket.on('close', () => reject(new Error('closed in the middle of a gap')));
  });
  socket.send(JSON.stringify({ type: 'subscribe', data: { after } }));
  const bytes = await all;
  socket.terminate();
  return bytes;
}
