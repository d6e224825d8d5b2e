/**
 * Watches streams: one socket each, one prompt each, sent at its planned moment. What is late counts from the moment that
 * was planned, so a server that accepts late does not look punctual.
 */
import type { WebSocket } from 'ws';
import { answerPlans, now } from '../lib/client-child.ts';
import { Latencies, type Quantiles } from '../lib/latencies.ts';
import { openSockets, type Target } from '../lib/sockets.ts';
import { duesOf } from '../lib/token.ts';

export interface Streams {
  readonly streams: number;
  readonly tokens: number;
  /** Tokens a second; 0: full speed. */
  readonly rate: number;
  /** Over so many milliseconds the prompts are spread. */
  readonly spread: number;
}

export interface StreamsResult {
  readonly tokens: number;
  readonly frames: number;
  /** Streams that did not show all of their tokens. */
  readonly failed: number;
  /** Milliseconds from when a token was due until it was seen. */
  readonly lateness: Quantiles;
  /** Milliseconds from when a prompt was due until its first token was seen. */
  readonly firstToken: Quantiles;
  /** Of the tokens that were due, how many came. */
  readonly arrived: number;
  readonly seconds: number;
}

interface Frame {
  readonly type: string;
  readonly text?: string;
  readonly data?: { readonly event_type?: string; readonly payload?: { readonly text?: string } };
}

answerPlans(async (plan: Streams & Target): Promise<StreamsResult> => {
  const lateness = new Latencies();
  const firstToken = new Latencies();
  let tokens = 0;
  let frames = 0;
  let failed = 0;
  const sockets = await openSockets(plan, plan.streams);
  const begin = now() + 100;
  await Promise.all(
    sockets.map(async (socket, index) => {
      const planned = begin + (plan.spread * index) / plan.streams;
      await new Promise((resolve) => setTimeout(resolve, planned - now()));
      let seen = 0;
      await exchange(socket, promptOf(plan), (piece) => {
        const at = now();
        frames += 1;
        if (seen === 0) firstToken.record(at - planned);
        for (const due of duesOf(piece, at)) {
          seen += 1;
          lateness.record(at - due);
        }
      });
      if (seen !== plan.tokens) failed += 1;
      tokens += seen;
    }),
  );
  const seconds = (now() - begin) / 1000;
  for (const socket of sockets) socket.terminate();
  return {
    tokens,
    frames,
    failed,
    lateness: lateness.quantiles(),
    firstToken: firstToken.quantiles(),
    arrived: tokens / (plan.streams * plan.tokens),
    seconds,
  };
});

/** Resolves when the answer has ended, or the socket. */
function exchange(socket: WebSocket, prompt: string, onText: (piece: string) => void): Promise<void> {
  return new Promise((resolve) => {
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(String(data)) as Frame;
      const piece = textOf(frame);
      if (piece !== undefined) onText(piece);
      else if (frame.type === 'command_result' || frame.type === 'end') resolve();
    });
    socket.on('close', () => resolve());
    socket.send(prompt);
  });
}

function promptOf({ kind, tokens, rate }: Streams & Target): string {
  const prompt = `stream ${tokens} ${rate}`;
  return JSON.stringify(
    kind === 'server' ? { type: 'command', data: { command: 'prompt', parameters: { prompt } } } : { prompt },
  );
}

function textOf({ type, text, data }: Frame): string | undefined {
  if (type === 'delta') return text;
  return type === 'event' && data?.event_type === 'text_delta' ? data.payload?.text : undefined;
}
