/** Lines that somebody types, also while an answer is shown. */
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';

const PASTE_ON = '\u001b[?2004h';
const PASTE_OFF = '\u001b[?2004l';
const CLEAR_LINE = '\r\u001b[K';

/** `interrupt`: Ctrl-C; `empty` when nothing was typed. `end`: Ctrl-D, or the terminal is gone. */
export type Typed =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'interrupt'; readonly empty: boolean }
  | { readonly kind: 'end' };

interface Waiting {
  readonly prompt: string;
  readonly resolve: (typed: Typed) => void;
}

/**
 * While nobody waits for a line nothing that is typed is shown, so that it does not get into the answer; it is there when
 * the next line is asked for. A pasted text is one line, however many it has.
 */
export class TerminalInput {
  /** Ctrl-C while nobody waits for a line. */
  onInterrupt: () => void = () => {};
  /** Ctrl-D while nobody waits for a line, or the terminal is gone. */
  onEnd: () => void = () => {};
  /** A line that nobody waits for; it is the next one that `read` gives. */
  onAhead: (text: string) => void = () => {};
  readonly #output: NodeJS.WriteStream;
  readonly #lines: Interface;
  readonly #ahead: string[] = [];
  #waiting: Waiting | null = null;
  #isQuiet = true;
  #isPasting = false;
  #isEnded = false;
  #pasted: string[] = [];

  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream) {
    this.#output = output;
    const shown = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (!this.#isQuiet) output.write(chunk);
        done();
      },
    });
    Object.defineProperties(shown, {
      isTTY: { value: true },
      columns: { get: () => output.columns },
      rows: { get: () => output.rows },
    });
    output.on('resize', () => shown.emit('resize'));
    this.#lines = createInterface({ input, output: shown, terminal: true, historySize: 200 });
    this.#lines.on('line', (line) => this.#line(line));
    this.#lines.on('SIGINT', () => this.#interrupt());
    this.#lines.on('close', () => this.#end());
    // Before readline itself sees the key.
    input.prependListener('keypress', (_text, key?: { readonly name?: string }) => {
      if (key?.name === 'paste-start') this.#isPasting = true;
      if (key?.name === 'paste-end') this.#isPasting = false;
    });
    output.write(PASTE_ON);
  }

  get isWaiting(): boolean {
    return this.#waiting !== null;
  }

  /** The next line that was typed, also before it was asked for. */
  read(prompt: string): Promise<Typed> {
    const text = this.#ahead.shift();
    if (text === undefined) return this.#wait(prompt);
    this.#output.write(`${prompt}${text}\n`);
    return Promise.resolve({ kind: 'text', text });
  }

  /** A line that is typed from now on; null when the signal has aborted. */
  async ask(prompt: string, signal: AbortSignal): Promise<Typed | null> {
    if (signal.aborted) return null;
    const withdrawn = Promise.withResolvers<null>();
    const withdraw = () => {
      this.#waiting = null;
      this.#hide();
      this.#output.write('\n');
      withdrawn.resolve(null);
    };
    signal.addEventListener('abort', withdraw, { once: true });
    try {
      return await Promise.race([this.#wait(prompt), withdrawn.promise]);
    } finally {
      signal.removeEventListener('abort', withdraw);
    }
  }

  /** A line above what is being typed. */
  notice(text: string): void {
    if (this.#waiting === null) {
      this.#output.write(`${text}\n`);
      return;
    }
    this.#output.write(`${CLEAR_LINE}${text}\n`);
    this.#lines.prompt(true);
  }

  close(): void {
    this.#lines.close();
    this.#output.write(PASTE_OFF);
  }

  #wait(prompt: string): Promise<Typed> {
    if (this.#isEnded) return Promise.resolve({ kind: 'end' });
    return new Promise((resolve) => {
      this.#waiting = { prompt, resolve };
      const begun = this.#lines.line;
      this.#clear();
      this.#isQuiet = false;
      this.#lines.setPrompt(prompt);
      this.#lines.prompt();
      if (begun !== '') this.#lines.write(begun);
    });
  }

  #line(line: string): void {
    if (this.#isPasting || line.endsWith('\\')) {
      this.#pasted.push(this.#isPasting ? line : line.slice(0, -1));
      return;
    }
    const text = [...this.#pasted.splice(0), line].join('\n');
    if (this.#settle({ kind: 'text', text })) return;
    this.#ahead.push(text);
    this.onAhead(text);
  }

  #interrupt(): void {
    const empty = this.#lines.line === '' && this.#pasted.length === 0;
    this.#pasted = [];
    if (this.#waiting) this.#output.write('\n');
    this.#clear();
    if (this.#settle({ kind: 'interrupt', empty })) return;
    // Whoever stops an answer wants nothing of what was to come after it.
    this.#ahead.length = 0;
    this.onInterrupt();
  }

  #end(): void {
    this.#isEnded = true;
    this.#output.write('\n');
    if (!this.#settle({ kind: 'end' })) this.onEnd();
  }

  #settle(typed: Typed): boolean {
    const waiting = this.#waiting;
    if (!waiting) return false;
    this.#waiting = null;
    this.#hide();
    waiting.resolve(typed);
    return true;
  }

  #hide(): void {
    this.#isQuiet = true;
  }

  /** Of what is being typed. */
  #clear(): void {
    const wasQuiet = this.#isQuiet;
    this.#isQuiet = true;
    this.#lines.write(null, { ctrl: true, name: 'e' });
    this.#lines.write(null, { ctrl: true, name: 'u' });
    this.#isQuiet = wasQuiet;
  }
}
