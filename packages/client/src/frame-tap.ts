/** Shows the frames of a session as they go, for those who inspect them. */
import { type ReportError, tellAll } from './report.ts';

export interface RawFrame {
  readonly direction: 'in' | 'out';
  /** JSON text; null for bytes. A credential in it is not shown. */
  readonly text: string | null;
  /** Of its content. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export class FrameTap {
  readonly #listeners = new Set<(frame: RawFrame) => void>();
  readonly #report: ReportError;

  constructor(report: ReportError) {
    this.#report = report;
  }

  on(listener: (frame: RawFrame) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  received(text: string): void {
    this.#tell('in', text, text.length);
  }

  sent(text: string, type: string): void {
    // Whoever looks at frames, or keeps them, must not get hold of a token.
    const shown = type === 'authenticate' ? JSON.stringify({ type, data: { token: '…' } }) : text;
    this.#tell('out', shown, text.length);
  }

  sentBytes(size: number): void {
    this.#tell('out', null, size);
  }

  #tell(direction: 'in' | 'out', text: string | null, size: number): void {
    if (this.#listeners.size === 0) return;
    tellAll(this.#listeners, this.#report, { direction, text, size, at: Date.now() });
  }
}
