import type { JsonObject } from '@llmgine/protocol';
import type { ModelSink, ModelToolCall } from './types.ts';

type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'reasoning'; readonly text: string }
  | { readonly kind: 'tool_call'; readonly call: ModelToolCall }
  | { readonly kind: 'metadata'; readonly of: 'text' | 'reasoning'; readonly metadata: JsonObject };

/** The source of pieces, as the gate steers it. */
export interface Flow {
  /** The sink is full: read no more. What was read already may still be put; it waits in the gate. */
  pause(): void;
  resume(): void;
  /** `drain()` of the sink rejected. */
  fail(error: unknown): void;
}

/**
 * Stands before a sink for sources that push: one network chunk holds many pieces, and after a `false` of the sink the
 * rest of them have to wait. It holds at most what its source had read when it was paused. Nothing is allocated for
 * a piece while the sink keeps up.
 */
export class SinkGate {
  readonly #sink: ModelSink;
  readonly #flow: Flow;
  #waiting: Piece[] = [];
  #full = false;
  #closed = false;
  #onEmpty: (() => void) | undefined;

  constructor(sink: ModelSink, flow: Flow) {
    this.#sink = sink;
    this.#flow = flow;
  }

  text(text: string): void {
    if (this.#full) this.#waiting.push({ kind: 'text', text });
    else if (!this.#closed && !this.#sink.text(text)) this.#hold();
  }

  reasoning(text: string): void {
    if (this.#full) this.#waiting.push({ kind: 'reasoning', text });
    else if (!this.#closed && !this.#sink.reasoning(text)) this.#hold();
  }

  toolCall(call: ModelToolCall): void {
    if (this.#full) this.#waiting.push({ kind: 'tool_call', call });
    else if (!this.#closed && !this.#sink.toolCall(call)) this.#hold();
  }

  metadata(kind: 'text' | 'reasoning', metadata: JsonObject): void {
    // It belongs to the piece before it, and that may still wait.
    if (this.#full) this.#waiting.push({ kind: 'metadata', of: kind, metadata });
    else if (!this.#closed) this.#sink.metadata(kind, metadata);
  }

  /** Calls back once, when everything put so far is in the sink; at once when nothing waits. */
  whenEmpty(callback: () => void): void {
    if (this.#waiting.length === 0) callback();
    else this.#onEmpty = callback;
  }

  /** Drops what waits; the sink is not called any more. */
  close(): void {
    this.#closed = true;
    this.#full = false;
    this.#waiting = [];
    this.#onEmpty = undefined;
  }

  #hold(): void {
    this.#full = true;
    this.#flow.pause();
    this.#sink.drain().then(this.#release, (error) => {
      if (!this.#closed) this.#flow.fail(error);
    });
  }

  readonly #release = (): void => {
    if (this.#closed) return;
    this.#full = false;
    const waiting = this.#waiting;
    let next = 0;
    while (next < waiting.length && !this.#full) this.#put(waiting[next++] as Piece);
    if (next > 0) this.#waiting = waiting.slice(next);
    if (this.#waiting.length === 0) this.#onEmpty?.();
    // The callback may have closed the gate; a full one was held again by the last piece.
    if (!this.#full && !this.#closed) this.#flow.resume();
  };

  #put(piece: Piece): void {
    if (piece.kind === 'text') this.text(piece.text);
    else if (piece.kind === 'reasoning') this.reasoning(piece.text);
    else if (piece.kind === 'tool_call') this.toolCall(piece.call);
    else this.metadata(piece.of, piece.metadata);
  }
}
