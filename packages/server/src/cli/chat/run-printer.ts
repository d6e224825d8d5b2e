import type { Message, SessionEvent } from '@llmgine/protocol';
import { callLine, resultLine } from '../message-lines.ts';
import { PlainStream, plainLine, plainText } from '../plain-text.ts';
import type { Style } from '../style.ts';

const MAX_LINE = 500;
/** Of one message: nobody reads more in a terminal, and a model may never stop. */
const MAX_TEXT = 500_000;

export interface RunPrinterOptions {
  readonly write: (text: string) => void;
  readonly style: Style;
  /** Shows what the user has said, too: of a run that somebody else has asked for, or that was resumed. */
  readonly withPrompt: boolean;
}

/** Shows the events of one run as they come. All that models and tools say is text, and no order to the terminal. */
export class RunPrinter {
  readonly #options: RunPrinterOptions;
  readonly #tools = new Map<string, string>();
  #streamed: string | null = null;
  #kind: 'text' | 'reasoning' | null = null;
  #plain = new PlainStream();
  #length = 0;
  #isLineOpen = false;

  constructor(options: RunPrinterOptions) {
    this.#options = options;
  }

  event(event: SessionEvent): void {
    const { style } = this.#options;
    switch (event.event_type) {
      case 'text_delta':
        this.#piece(event.payload, 'text');
        break;
      case 'reasoning_delta':
        this.#piece(event.payload, 'reasoning');
        break;
      case 'message_completed':
        this.#completed(event.payload);
        break;
      case 'message_discarded':
        this.#aside('that was withdrawn; it is done anew');
        break;
      case 'tool_call': {
        const { tool_call_id: id, tool_name: name, arguments: args } = event.payload;
        this.#tools.set(id, name);
        this.line(callLine(name, args, style));
        break;
      }
      case 'tool_result': {
        const { tool_call_id: id, result, is_error: isError, duration_ms: ms } = event.payload;
        this.line(resultLine(this.#tools.get(id) ?? 'tool', result, isError, style, ms));
        break;
      }
      case 'status':
        this.#aside(event.payload.text);
        break;
      case 'run_finished':
        this.#finished(event.payload);
        break;
    }
  }

  /** A line of its own. */
  line(text: string): void {
    this.endLine();
    this.#options.write(`${text}\n`);
  }

  endLine(): void {
    if (this.#isLineOpen) this.#options.write('\n');
    this.#isLineOpen = false;
    this.#kind = null;
    this.#plain = new PlainStream();
  }

  #piece({ message_id: id, text }: { message_id: string; text: string }, kind: 'text' | 'reasoning'): void {
    if (this.#streamed !== id) this.#length = 0;
    this.#streamed = id;
    if (this.#kind !== kind) this.endLine();
    this.#kind = kind;
    this.#say(this.#plain.push(text), kind);
  }

  #say(text: string, kind: 'text' | 'reasoning'): void {
    const shown = text.slice(0, Math.max(0, MAX_TEXT - this.#length));
    this.#length += text.length;
    if (shown === '') return;
    this.#options.write(kind === 'text' ? shown : this.#options.style('dim', shown));
    this.#isLineOpen = !shown.endsWith('\n');
  }

  #completed(message: Message): void {
    const wasStreamed = this.#streamed === message.message_id;
    this.endLine();
    if (message.role === 'user' && this.#options.withPrompt) {
      const text = plainText(textOf(message)).slice(0, MAX_TEXT);
      this.line(`${this.#options.style('cyan', 'you')}: ${text}`);
    }
    if (message.role === 'assistant') {
      if (this.#length > MAX_TEXT) this.#aside('the rest is not shown here; sessions export has it');
      this.#length = 0;
      // Its pieces are not kept for ever, and some messages have none.
      if (!wasStreamed) this.#say(plainText(textOf(message)), 'text');
      this.endLine();
    }
    this.#streamed = null;
  }

  #finished({ status, error, usage }: Finished): void {
    const { style } = this.#options;
    if (status === 'cancelled') this.#aside('cancelled');
    if (status === 'failed') {
      this.line(style('red', `failed: ${plainLine(`${error?.message} (${error?.code})`, MAX_LINE)}`));
    }
    if (usage)
      this.#aside(`${usage.total_tokens} tokens${usage.cost === undefined ? '' : `, cost ${usage.cost}`}`);
    this.endLine();
  }

  #aside(text: string): void {
    this.line(this.#options.style('dim', plainLine(text, MAX_LINE)));
  }
}

type Finished = Extract<SessionEvent, { event_type: 'run_finished' }>['payload'];

/** What is said in it. */
export function textOf(message: Pick<Message, 'parts'>): string {
  return message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}
