/** A conversation with somebody who sits at a terminal. */
import { constants } from 'node:os';
import { LlmgineError, type RunHandle, type Session } from '@llmgine/client';
import { parseCursor } from '@llmgine/protocol';
import { EXIT } from '../exit.ts';
import { describeMessage } from '../message-lines.ts';
import { plainLine } from '../plain-text.ts';
import { describeServerFailure } from '../server-options.ts';
import { type Style, terminalStyle } from '../style.ts';
import type { Conversation, Talk } from './open-conversation.ts';
import { Questions } from './questions.ts';
import { RunPrinter } from './run-printer.ts';
import { runSlashCommand } from './slash-commands.ts';
import { TerminalInput } from './terminal-input.ts';

const PROMPT = '› ';
/** Messages that are shown of a session that goes on. */
const RECENT = 6;
const MAX_LINE = 500;
/** As shells say it of a program that SIGTERM has ended. */
const TERMINATED = 128 + constants.signals.SIGTERM;

export async function chatInTerminal(talk: Talk): Promise<number> {
  const input = new TerminalInput(process.stdin, process.stdout);
  const chat = new TerminalChat(talk, input);
  try {
    return await chat.run();
  } finally {
    chat.close();
    input.close();
  }
}

export class TerminalChat {
  readonly talk: Talk;
  readonly style: Style = terminalStyle(process.stdout);
  readonly #input: TerminalInput;
  #conversation: Conversation;
  #session: Session;
  #stopTelling: () => void;
  /** Of the run that is shown. */
  #printer: RunPrinter | null = null;
  /** Ends the program whatever a run does. */
  readonly #leaving = Promise.withResolvers<number>();
  #isLeft = false;
  readonly #leave = () => this.#leaving.resolve(EXIT.CANCELLED);
  /** Whoever ends the program from elsewhere gets the terminal back as it was. */
  readonly #terminate = () => this.#leaving.resolve(TERMINATED);

  constructor(talk: Talk, input: TerminalInput) {
    this.talk = talk;
    this.#input = input;
    input.onInterrupt = this.#leave;
    input.onEnd = () => this.#leaving.resolve(EXIT.OK);
    input.onAhead = (text) => {
      if (text.trim() !== '') this.print(this.style('dim', `next: ${plainLine(text, MAX_LINE)}`));
    };
    this.#conversation = talk.conversation;
    this.#session = talk.client.session(talk.conversation.sessionId);
    this.#stopTelling = this.#tellState(this.#session);
    process.once('SIGTERM', this.#terminate);
  }

  get conversation(): Conversation {
    return this.#conversation;
  }

  get session(): Session {
    return this.#session;
  }

  /** A line between what is streamed, and above what is being typed. */
  print(line: string): void {
    if (this.#printer === null || this.#input.isWaiting) this.#input.notice(line);
    else this.#printer.line(line);
  }

  /** Goes on in another session. */
  async enter(conversation: Conversation): Promise<void> {
    this.#stopTelling();
    this.#session.close();
    this.#conversation = conversation;
    this.#session = this.talk.client.session(conversation.sessionId);
    this.#stopTelling = this.#tellState(this.#session);
    await this.#begin();
  }

  relinked(engineType: string): void {
    this.#conversation = { ...this.#conversation, engineType };
  }

  async showHistory(limit: number): Promise<void> {
    const { messages } = await this.#session.history({ limit });
    if (messages.length === 0) this.print(this.style('dim', 'nothing was said yet'));
    for (const message of messages) this.print(describeMessage(message, this.style));
  }

  close(): void {
    this.#isLeft = true;
    process.off('SIGTERM', this.#terminate);
    this.#stopTelling();
    this.#session.close();
  }

  /** Resolves to the exit code. */
  run(): Promise<number> {
    return Promise.race([this.#converse(), this.#leaving.promise]);
  }

  async #converse(): Promise<number> {
    await this.#session.connect();
    await this.#begin();
    for (let interrupts = 0; ; ) {
      const typed = await this.#input.read(this.style('bold', PROMPT));
      if (typed.kind === 'end') return EXIT.OK;
      if (typed.kind === 'interrupt') {
        interrupts = typed.empty ? interrupts + 1 : 0;
        if (interrupts === 2) return EXIT.OK;
        if (typed.empty) this.print(this.style('dim', 'Ctrl-C again leaves, and so does /exit'));
        continue;
      }
      interrupts = 0;
      const text = typed.text.trim();
      if (text === '') continue;
      try {
        if (text.startsWith('/') && !text.startsWith('//')) {
          if (await runSlashCommand(this, text)) return EXIT.OK;
        } else {
          await this.#follow(this.#session.prompt(text.replace(/^\/\//, '/')));
        }
      } catch (error) {
        // What leaving breaks off is no news.
        if (this.#isLeft) return EXIT.OK;
        const { line } = describeServerFailure(error, this.talk.url);
        this.print(this.style('red', line));
      }
    }
  }

  /** Says where we are, and goes on with what is unfinished. */
  async #begin(): Promise<void> {
    const { sessionId, engineType, resumed } = this.#conversation;
    const where = `${plainLine(engineType, 100)} on ${this.talk.url}`;
    this.print(
      `${this.style('bold', 'llmgine chat')}  ${this.style('dim', `${where}, session ${sessionId}`)}`,
    );
    this.print(this.style('dim', 'Ctrl-C cancels an answer, /help lists commands'));
    if (!resumed) return;
    const history = await this.#session.history({ limit: RECENT });
    const { messages, runs, pending_requests: pending } = history;
    const unfinished = new Set(runs.map((run) => run.run_id));
    for (const message of messages) {
      // What an unfinished run has said is shown with the rest of it.
      if (message.run_id === null || !unfinished.has(message.run_id)) {
        this.print(describeMessage(message, this.style));
      }
    }
    const asked = new Set(pending.map((request) => request.request_id));
    const seen = parseCursor(history.cursor)?.seq ?? 0;
    for (const runId of unfinished) {
      // What was answered before is in its events, too.
      await this.#follow(this.#session.attach(runId), (id, seq) => seq > seen || asked.has(id));
    }
  }

  /** Shows a run until it has ended. `isOpen`, of one that was there before: whether a request still waits. */
  async #follow(run: RunHandle, isOpen?: (requestId: string, seq: number) => boolean): Promise<void> {
    const write = (text: string) => void process.stdout.write(text);
    const printer = new RunPrinter({ write, style: this.style, withPrompt: isOpen !== undefined });
    const print = (line: string) => this.print(line);
    this.#printer = printer;
    let isCancelled = false;
    const cancel = () => {
      if (isCancelled) {
        // The server may be away for long.
        this.#leave();
        return;
      }
      isCancelled = true;
      print(this.style('dim', 'cancelling; Ctrl-C again leaves without waiting'));
      run.cancel().catch((error: unknown) => {
        if (!this.#isLeft) print(describeServerFailure(error, this.talk.url).line);
      });
    };
    this.#input.onInterrupt = cancel;
    const questions = new Questions({
      input: this.#input,
      style: this.style,
      print,
      answer: (requestId, answer) => this.#session.answer(requestId, answer),
      onInterrupt: cancel,
      onEnd: this.#input.onEnd,
    });
    try {
      for await (const event of run) {
        printer.event(event);
        if (event.event_type === 'input_requested') {
          if (isOpen?.(event.payload.request_id, event.seq) ?? true) questions.ask(event.payload);
        }
        if (event.event_type === 'input_resolved') questions.resolved(event.payload.request_id);
      }
    } finally {
      this.#input.onInterrupt = this.#leave;
      printer.endLine();
      this.#printer = null;
      await questions.end();
    }
  }

  /** Says when the connection is lost and there again; a session that is gone ends the program. */
  #tellState(session: Session): () => void {
    let isLost = false;
    return session.onState((state) => {
      if (state === 'reconnecting' || state === 'offline') {
        if (!isLost) this.print(this.style('yellow', 'the connection is lost; reconnecting…'));
        isLost = true;
      } else if (state === 'open') {
        if (isLost) this.print(this.style('green', 'connected again'));
        isLost = false;
      } else if (state === 'closed' && session === this.#session) {
        const { error, reason = '' } = session.closeReason ?? {};
        if (!error) return;
        this.print(
          this.style('red', plainLine(error instanceof LlmgineError ? error.message : reason, MAX_LINE)),
        );
        this.#leaving.resolve(EXIT.FAILED);
      }
    });
  }
}
