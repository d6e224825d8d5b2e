import type { JsonObject } from '@llmgine/protocol';
import type { ModelSink, ModelToolCall } from '../../src/models/types.ts';

export type Call = ['text', string] | ['reasoning', string] | ['toolCall', ModelToolCall];

/** A sink that remembers what it was given, and can be told to be full. */
export class RecordingSink implements ModelSink {
  readonly calls: Call[] = [];
  /** What was put as metadata, with how many calls there were before it. */
  readonly metadatas: { readonly kind: string; readonly metadata: JsonObject; readonly after: number }[] = [];
  readonly notices: string[] = [];
  /** Asked after each piece: is the sink full now? */
  isFull: (calls: number) => boolean = () => false;
  /** Called after each piece. */
  onCall: () => void = () => undefined;
  drains = 0;
  #drain = Promise.withResolvers<void>();
  #waiting = Promise.withResolvers<void>();

  text(delta: string): boolean {
    return this.#take(['text', delta]);
  }

  reasoning(delta: string): boolean {
    return this.#take(['reasoning', delta]);
  }

  toolCall(call: ModelToolCall): boolean {
    return this.#take(['toolCall', call]);
  }

  metadata(kind: 'text' | 'reasoning', metadata: JsonObject): void {
    this.metadatas.push({ kind, metadata, after: this.calls.length });
  }

  notice(text: string): void {
    this.notices.push(text);
  }

  drain(): Promise<void> {
    this.drains++;
    this.#waiting.resolve();
    return this.#drain.promise;
  }

  /** Resolves when an adapter waits for `drain()`. */
  get waiting(): Promise<void> {
    return this.#waiting.promise;
  }

  /** Lets the adapter that waits go on. */
  empty(): void {
    const { resolve } = this.#drain;
    this.#drain = Promise.withResolvers();
    this.#waiting = Promise.withResolvers();
    resolve();
  }

  get said(): string {
    return this.calls.map(([kind, value]) => (kind === 'text' ? value : '')).join('');
  }

  get reasoned(): string {
    return this.calls.map(([kind, value]) => (kind === 'reasoning' ? value : '')).join('');
  }

  get toolCalls(): ModelToolCall[] {
    return this.calls.flatMap(([kind, value]) => (kind === 'toolCall' ? [value] : []));
  }

  #take(call: Call): boolean {
    this.calls.push(call);
    this.onCall();
    return !this.isFull(this.calls.length);
  }
}
