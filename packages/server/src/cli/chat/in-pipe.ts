/** A conversation with a program: prompts come on standard input, answers go to standard output, and nothing else. */
import { once as oneEvent } from 'node:events';
import { createInterface } from 'node:readline';
import { text as readAll } from 'node:stream/consumers';
import type { RunHandle, Session } from '@llmgine/client';
import type { SessionEvent } from '@llmgine/protocol';
import { printable } from '../../observability/printable.ts';
import { EXIT } from '../exit.ts';
import { PlainStream, plainLine, plainText } from '../plain-text.ts';
import type { Talk } from './open-conversation.ts';
import { textOf } from './run-printer.ts';

export interface PipeOptions {
  readonly once: boolean;
  readonly json: boolean;
}

const MAX_LINE = 500;

/** Stops at the first run that does not complete. Resolves to the exit code. */
export async function chatInPipe({ client, conversation }: Talk, options: PipeOptions): Promise<number> {
  const session = client.session(conversation.sessionId);
  const interrupts = new Interrupts();
  // Whoever reads may have had enough.
  let isReaderGone = false;
  process.stdout.on('error', () => {
    isReaderGone = true;
  });
  const converse = async () => {
    await session.connect();
    for await (const prompt of prompts(options.once)) {
      const run = session.prompt(prompt);
      interrupts.running = run;
      const exitCode = await answer(run, session, options);
      if (exitCode !== EXIT.OK || isReaderGone) return exitCode;
      interrupts.running = null;
    }
    return EXIT.OK;
  };
  try {
    return await Promise.race([converse(), interrupts.leaving]);
  } finally {
    interrupts.stop();
    session.close();
  }
}

/** The first Ctrl-C cancels the run, and without one, or the second time, it leaves. */
class Interrupts {
  running: RunHandle | null = null;
  readonly leaving: Promise<number>;
  readonly #leave: () => void;
  readonly #listener = () => {
    const { running } = this;
    this.running = null;
    if (running) running.cancel().catch(() => {});
    else this.#leave();
  };

  constructor() {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.leaving = promise;
    this.#leave = () => resolve(EXIT.CANCELLED);
    process.on('SIGINT', this.#listener);
  }

  stop(): void {
    process.off('SIGINT', this.#listener);
  }
}

async function* prompts(once: boolean): AsyncGenerator<string> {
  if (once) {
    const prompt = (await readAll(process.stdin)).trim();
    if (prompt !== '') yield prompt;
    return;
  }
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() !== '') yield line;
  }
}

async function answer(run: RunHandle, session: Session, { json }: PipeOptions): Promise<number> {
  const printer = new AnswerPrinter();
  for await (const event of run) {
    await write(json ? `${printable(JSON.stringify(event))}\n` : printer.show(event));
    if (event.event_type === 'input_requested') {
      const { prompt } = event.payload;
      complain(`it waits for an answer: ${prompt} (answer with: llmgine chat --session ${session.id})`);
      return EXIT.WAITING;
    }
  }
  const { status, error } = await run.result;
  if (status === 'completed') return EXIT.OK;
  complain(status === 'failed' ? `failed: ${error?.message} (${error?.code})` : 'cancelled');
  return status === 'failed' ? EXIT.FAILED : EXIT.CANCELLED;
}

/** What the assistant says, a line break after each message. */
class AnswerPrinter {
  #streamed: string | null = null;
  #plain = new PlainStream();

  show(event: SessionEvent): string {
    if (event.event_type === 'text_delta') {
      const { message_id, text } = event.payload;
      if (this.#streamed !== message_id) this.#plain = new PlainStream();
      this.#streamed = message_id;
      return this.#plain.push(text);
    }
    if (event.event_type === 'message_discarded') return this.#end('\n');
    if (event.event_type !== 'message_completed') return '';
    const message = event.payload;
    if (message.role !== 'assistant') return '';
    if (this.#streamed === message.message_id) return this.#end('\n');
    const text = plainText(textOf(message));
    return text === '' ? '' : this.#end(`${text}\n`);
  }

  #end(text: string): string {
    this.#streamed = null;
    return text;
  }
}

async function write(text: string): Promise<void> {
  if (text === '' || process.stdout.destroyed || process.stdout.write(text)) return;
  await Promise.race([oneEvent(process.stdout, 'drain'), oneEvent(process.stdout, 'close')]).catch(() => {});
}

function complain(text: string): void {
  process.stderr.write(`llmgine: ${plainLine(text, MAX_LINE)}\n`);
}
