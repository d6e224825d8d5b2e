/** Sessions that are made, prompted, watched, cut, resumed and deleted, so many at any time. */
import { setTimeout as delay } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { answerPlans, now } from '../lib/client-child.ts';
import { newSession, openSocket, type Target } from '../lib/sockets.ts';
import { TOKEN_LENGTH } from '../lib/token.ts';

export interface Churn {
  /** Sessions at any time. */
  readonly sessions: number;
  readonly tokens: number;
  /** Tokens a second. */
  readonly rate: number;
  readonly seconds: number;
}

export interface ChurnResult {
  /** Sessions that lived their whole life. */
  readonly lives: number;
  readonly tokens: number;
  readonly errors: number;
  /** The first of them, or nothing. */
  readonly error: string;
}

interface Frame {
  readonly type: string;
  readonly data: {
    readonly cursor: string;
    readonly event_type: string;
    readonly payload: { readonly text?: string; readonly status?: string };
  };
}

answerPlans(async (plan: Churn & Target): Promise<ChurnResult> => {
  const end = now() + plan.seconds * 1000;
  const pace = (plan.tokens / plan.rate) * 1000;
  let [lives, errors, error] = [0, 0, ''];
  const worker = async (index: number) => {
    // Not all in step.
    await delay((pace * index) / plan.sessions);
    while (now() < end) {
      try {
        await live(plan);
        lives += 1;
      } catch (reason) {
        errors += 1;
        error ||= String(reason);
        // What fails at once must not be tried without a pause.
        await delay(pace);
      }
    }
  };
  await Promise.all(Array.from({ length: plan.sessions }, (_, index) => worker(index)));
  return { lives, tokens: lives * plan.tokens, errors, error };
});

async function live(plan: Churn & Target): Promise<void> {
  const session = await newSession(plan.url);
  const first = await openSocket(plan, session);
  const parameters = { prompt: `stream ${plan.tokens} ${plan.rate}` };
  first.send(JSON.stringify({ type: 'command', data: { command: 'prompt', parameters } }));
  const half = (plan.tokens * TOKEN_LENGTH) / 2;
  const before = await read(first, (seen) => seen.text >= half);
  first.terminate();
  const second = await openSocket(plan, session);
  second.send(JSON.stringify({ type: 'subscribe', data: { after: before.cursor } }));
  const after = await read(second, (seen) => seen.finished);
  second.terminate();
  const missing = plan.tokens * TOKEN_LENGTH - before.text - after.text;
  if (missing !== 0) throw new Error(`${missing} characters did not come`);
  const { status } = await fetch(`${plan.url}/api/sessions/${session}`, { method: 'DELETE' });
  if (status >= 300) throw new Error(`a session could not be deleted: ${status}`);
}

interface Read {
  cursor: string;
  /** Characters. */
  text: number;
  finished: boolean;
}

/** Takes events until it is enough. */
function read(socket: WebSocket, enough: (seen: Read) => boolean): Promise<Read> {
  const seen: Read = { cursor: '', text: 0, finished: false };
  return new Promise((resolve, reject) => {
    const onMessage = (raw: Buffer) => {
      const { type, data } = JSON.parse(String(raw)) as Frame;
      if (type === 'error') reject(new Error(String(raw)));
      if (type !== 'event') return;
      seen.cursor = data.cursor;
      seen.text += data.event_type === 'text_delta' ? (data.payload.text?.length ?? 0) : 0;
      seen.finished = data.event_type === 'run_finished';
      if (!enough(seen)) return;
      socket.off('message', onMessage);
      resolve(seen);
    };
    socket.on('message', onMessage);
    socket.on('close', () => reject(new Error('a socket was closed')));
  });
}
