/**
 * A model server that costs little: it speaks the OpenAI wire, streams at a given pace or at full speed, and writes with
 * one timer for all its streams. Each token is the moment at which it was due, so whoever reads it knows how late it is,
 * however many were merged on the way.
 *
 * The prompt says what to stream: `stream TOKENS RATE`, with a rate of 0 for full speed.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Due, tokenOf } from './lib/token.ts';

const TICK_MS = 2;
const HEAD =
  'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{"content":"';
const TAIL = '"},"finish_reason":null}]}\n\n';
const END =
  'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n' +
  'data: [DONE]\n\n';

interface Stream {
  readonly response: ServerResponse;
  readonly interval: number;
  left: number;
  due: Due;
}

const streams = new Set<Stream>();
const now = (): number => performance.timeOrigin + performance.now();

function write(stream: Stream, until: number): void {
  let text = '';
  while (stream.left > 0 && stream.due <= until) {
    text += HEAD + tokenOf(stream.due) + TAIL;
    stream.left -= 1;
    stream.due += stream.interval;
  }
  if (stream.left > 0) {
    if (text !== '') stream.response.write(text);
    return;
  }
  streams.delete(stream);
  stream.response.end(text + END);
}

setInterval(() => {
  const until = now();
  for (const stream of streams) write(stream, until);
}, TICK_MS).unref();

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const [, tokens = '1', rate = '0'] = /stream (\d+) (\d+)/.exec(lastPrompt(Buffer.concat(chunks))) ?? [];
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const stream: Stream = {
      response,
      interval: rate === '0' ? 0 : 1000 / Number(rate),
      left: Number(tokens),
      due: now(),
    };
    streams.add(stream);
    response.on('close', () => streams.delete(stream));
    // The first token at once: what comes before it is the cost of whoever asked.
    write(stream, stream.due);
  });
});

function lastPrompt(body: Buffer): string {
  const { messages } = JSON.parse(body.toString()) as { messages: readonly { readonly content: unknown }[] };
  return JSON.stringify(messages.at(-1)?.content ?? '');
}

server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` });
});
process.on('SIGTERM', () => process.exit(0));
