/**
 * Watches streams: one socket each, one prompt each, sent at its planned moment. What is late counts from the moment that
 * was planned, so a server that accepts late does not look punctual.
 */
import type { WebSocket } from 'ws';
import { answerPlans, now, until } from '../lib/client-child.ts';
import { Latencies } from '../lib/latencies.ts';
import { openSockets, type Target } from '../lib/sockets.ts';
import { duesOf } from '../lib/token.ts';

export interface StreamsPart {
  readonly streams: number;
  readonly tokens: number;
  /** Tokens a second; 0: full speed. */
  readonly rate: number;
  /** Milliseconds from the beginning until the first prompt, and from each to the next. */
  readonly first: number;
  readonly step: number;
  /** A token is in time so many milliseconds after it was due, counted from when its prompt was. */
  readonly grace: number;
  /** Milliseconds after the last token was due until those that do not end are given up. */
  readonly patience: number;
}

export interface StreamsSeen {
  readonly tokens: number;
  readonly inTime: number;
  readonly frames: number;
  /** Streams that did not show all of their tokens, or that failed. */
  readonly failed: number;
  /** Histogram of milliseconds from when a token was due until it was seen. */
  readonly lateness: string;
  /** Histogram of milliseconds from when a prompt was due until its first token was seen. */
  readonly firstToken: string;
}

interface Frame {
  readonly type: string;
  readonly text?: string;
  readonly data?: {
    readonly status?: string;
    readonly event_type?: string;
    readonly payload?: { readonly text?: string };
  };
}

answerPlans(async (plan: StreamsPart & Target, opened): Promise<StreamsSeen> => {
  const lateness = new Latencies();
  const firstToken = new Latencies();
  const interval = plan.rate === 0 ? 0 : 1000 / plan.rate;
  let [tokens, inTime, frames, failed] = [0, 0, 0, 0];
  const sockets = await openSockets(plan, plan.streams);
  const begin = await opened();
  const lastDue = begin + plan.first + plan.step * plan.streams + interval * plan.tokens;
  const late = setTimeout(() => sockets.map((socket) => socket.terminate()), lastDue + plan.patience - now());
  await Promise.all(
    sockets.map(async (socket, index) => {
      const planned = begin + plan.first + plan.step * index;
      await until(planned);
      let seen = 0;
      const completed = await exchange(socket, promptOf(plan), (piece) => {
        const at = now();
        frames += 1;
        if (seen === 0) firstToken.record(at - planned);
        for (const due of duesOf(piece, at)) {
          lateness.record(at - due);
          if (at <= planned + interval * seen + plan.grace) inTime += 1;
          seen += 1;
        }
      });
      if (!completed || seen !== plan.tokens) failed += 1;
      tokens += seen;
    }),
  );
  clearTimeout(late);
  for (const socket of sockets) socket.terminate();
  return { tokens, inTime, frames, failed, lateness: lateness.encode(), firstToken: firstToken.encode() };
});

/** Resolves when the answer has ended, or the socket; true for an answer that was completed. */
function exchange(socket: WebSocket, prompt: string, onText: (piece: string) => void): Promise<boolean> {
  return new Promise((resolve) => {
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(String(data)) as Frame;
      const piece = textOf(frame);
      if (piece !== undefined) onText(piece);
      else if (frame.type === 'command_result') resolve(frame.data?.status === 'completed');
      else if (frame.type === 'end' || frame.type === 'error') resolve(frame.type === 'end');
    });
    socket.on('close', () => resolve(false));
    socket.send(prompt);
  });
}

function promptOf({ kind, tokens, rate }: StreamsPart & Target): string {
  const prompt = `stream ${tokens} ${rate}`;
  return JSON.stringify(
    kind === 'server' ? { type: 'command', data: { command: 'prompt', parameters: { prompt } } } : { prompt },
  );
}

function textOf({ type, text, data }: Frame): string | undefined {
  if (type === 'delta') return text;
  return type === 'event' && data?.event_type === 'text_delta' ? data.payload?.text : undefined;
}
