/** Asks whoever sits at the terminal what a run waits for: one question after the other. */
import { LlmgineError } from '@llmgine/client';
import type { Answer, Json, SessionEvent } from '@llmgine/protocol';
import { plainLine, plainText } from '../plain-text.ts';
import { describeServerFailure } from '../server-options.ts';
import type { Style } from '../style.ts';
import { type FormField, formFields, readField, singleField } from './form-fields.ts';
import type { TerminalInput } from './terminal-input.ts';

export type Question = Extract<SessionEvent, { event_type: 'input_requested' }>['payload'];

const MAX_LINE = 500;
const MAX_ARGUMENTS = 10_000;

export interface QuestionsOptions {
  readonly input: TerminalInput;
  readonly style: Style;
  readonly print: (line: string) => void;
  readonly answer: (requestId: string, answer: Answer) => Promise<unknown>;
  /** Somebody pressed Ctrl-C instead of answering. */
  readonly onInterrupt: () => void;
  /** Somebody is gone, and leaves the question to others. */
  readonly onEnd: () => void;
}

export class Questions {
  readonly #options: QuestionsOptions;
  readonly #open = new Map<string, AbortController>();
  #turn: Promise<void> = Promise.resolve();

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /** Does not wait for the answer. */
  ask(question: Question): void {
    if (this.#open.has(question.request_id)) return;
    const controller = new AbortController();
    this.#open.set(question.request_id, controller);
    this.#turn = this.#turn.then(() => this.#handle(question, controller.signal));
  }

  /** Somebody has answered, here or elsewhere, or nobody has to any more. */
  resolved(requestId: string): void {
    this.#open.get(requestId)?.abort();
    this.#open.delete(requestId);
  }

  /** The run has ended. */
  async end(): Promise<void> {
    for (const controller of this.#open.values()) controller.abort();
    this.#open.clear();
    await this.#turn;
  }

  async #handle(question: Question, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { style, print } = this.#options;
    if (question.kind === 'client_tool') {
      const tool = plainLine(question.tool_name ?? 'a tool', 100);
      print(style('yellow', `${tool} is executed by a client that has it; waiting for one`));
      return;
    }
    let isAsked = true;
    while (isAsked) {
      const answer = await (question.kind === 'approval'
        ? this.#approval(question, signal)
        : this.#form(question, signal));
      if (answer === null || signal.aborted) return;
      isAsked = await this.#isRefused(question.request_id, answer);
    }
  }

  /** Whether the answer does not fit, so that another one is needed. */
  async #isRefused(requestId: string, answer: Answer): Promise<boolean> {
    const { style, print } = this.#options;
    try {
      await this.#options.answer(requestId, answer);
      return false;
    } catch (error) {
      const { line } = describeServerFailure(error, '');
      print(style('red', line));
      return error instanceof LlmgineError && error.code === 'VALIDATION_ERROR';
    }
  }

  async #approval(question: Question, signal: AbortSignal): Promise<Answer | null> {
    const { style, print } = this.#options;
    print(style('yellow', plainLine(question.prompt, MAX_LINE)));
    const { arguments: args } = question;
    // Whoever approves something has to see all of it.
    if (args !== undefined && args !== null) {
      const all = plainText(JSON.stringify(args, null, 2));
      print(style('yellow', all.slice(0, MAX_ARGUMENTS)));
      const rest = all.length - MAX_ARGUMENTS;
      if (rest > 0) print(style('red', `${rest} more characters are NOT shown; sessions export has them`));
    }
    for (;;) {
      const typed = await this.#line('Approve? y/n (n REASON): ', signal);
      if (typed === null) return null;
      if (/^(?:y|yes)$/i.test(typed)) return { outcome: 'approved' };
      const [, reason = ''] = /^(?:n|no)(?:\s+(.+))?$/is.exec(typed) ?? [];
      if (/^no?(?:\s|$)/i.test(typed)) return { outcome: 'denied', ...(reason === '' ? {} : { reason }) };
    }
  }

  async #form(question: Question, signal: AbortSignal): Promise<Answer | null> {
    const { style, print } = this.#options;
    print(style('yellow', plainLine(question.prompt, MAX_LINE)));
    print(style('dim', '/deny declines'));
    const fields = formFields(question.schema);
    if (!fields) return this.#submit(await this.#field(singleField(question.schema), signal));
    const value: Record<string, Json> = {};
    for (const field of fields) {
      const filled = await this.#field(field, signal);
      if (filled === null || 'denied' in filled) return this.#submit(filled);
      if (filled.value !== undefined) value[field.name] = filled.value;
    }
    return { outcome: 'submitted', value };
  }

  #submit(filled: Filled): Answer | null {
    if (filled === null) return null;
    if ('denied' in filled) return { outcome: 'denied' };
    return { outcome: 'submitted', value: filled.value ?? null };
  }

  async #field(field: FormField, signal: AbortSignal): Promise<Filled> {
    const { style, print } = this.#options;
    const name = plainLine(field.name, 100);
    if (field.description !== null) print(style('dim', plainLine(field.description, MAX_LINE)));
    field.choices?.forEach((choice, index) => {
      print(`  ${index + 1}. ${plainLine(String(choice), MAX_LINE)}`);
    });
    const fallback =
      field.fallback === undefined ? '' : ` [${plainLine(JSON.stringify(field.fallback), 100)}]`;
    const kind = field.choices ? 'number' : field.kind === 'boolean' ? 'y/n' : field.kind;
    for (;;) {
      const typed = await this.#line(
        `${name} (${kind}${field.required ? '' : ', optional'})${fallback}: `,
        signal,
      );
      if (typed === null) return null;
      if (typed === '/deny') return { denied: true };
      const read = readField(field, typed);
      if ('value' in read) return read;
      print(style('red', read.wrong));
    }
  }

  /** Null when there is no answer to come. */
  async #line(prompt: string, signal: AbortSignal): Promise<string | null> {
    const typed = await this.#options.input.ask(prompt, signal);
    if (typed?.kind === 'text') return typed.text.trim();
    if (typed?.kind === 'interrupt') this.#options.onInterrupt();
    if (typed?.kind === 'end') this.#options.onEnd();
    return null;
  }
}

type Filled = { readonly value: Json | undefined } | { readonly denied: true } | null;
