/** How long the parts of a run took, as its events tell. */
import type { SessionEvent } from '../../lib/protocol.ts';

export interface Span {
  readonly key: string;
  readonly kind: 'step' | 'tool' | 'person';
  readonly label: string;
  /** Milliseconds since the run was accepted. */
  readonly from: number;
  /** When the first piece was there; null where nobody knows. */
  readonly first: number | null;
  readonly to: number;
  readonly isOver: boolean;
}

export interface Measured {
  readonly spans: readonly Span[];
  readonly total: number;
  /** From the start of the execution to the first piece of an answer. */
  readonly firstTokenMs: number | null;
  readonly tokensPerSecond: number | null;
}

interface Open {
  readonly kind: Span['kind'];
  readonly label: string;
  readonly from: number;
  first: number | null;
}

export function measureRun(events: readonly SessionEvent[], runId: string): Measured {
  const own = events.filter(({ run_id: id }) => id === runId);
  const begin = own[0] ? Date.parse(own[0].created_at) : 0;
  const end = own.at(-1) ? Date.parse(own.at(-1)?.created_at ?? '') - begin : 0;
  const open = new Map<string, Open>();
  const spans: Span[] = [];
  let started: number | null = null;
  let firstTokenMs: number | null = null;
  let written = 0;
  let writing = 0;

  const close = (key: string, to: number) => {
    const span = open.get(key);
    if (!span) return;
    open.delete(key);
    spans.push({ key: `${key}@${span.from}`, ...span, to, isOver: true });
  };
  for (const event of own) {
    const at = Date.parse(event.created_at) - begin;
    switch (event.event_type) {
      case 'run_started':
        started ??= at;
        break;
      case 'step_started': {
        const { step, model } = event.payload;
        open.set('step', { kind: 'step', label: `Step ${step} · ${model}`, from: at, first: null });
        break;
      }
      case 'message_started':
      case 'text_delta':
      case 'reasoning_delta': {
        const step = open.get('step');
        if (step) step.first ??= at;
        if (step) firstTokenMs ??= at - (started ?? 0);
        break;
      }
      case 'step_finished': {
        const step = open.get('step');
        if (step?.first != null && event.payload.usage) {
          written += event.payload.usage.output_tokens;
          writing += at - step.first;
        }
        close('step', at);
        break;
      }
      case 'tool_call': {
        const { tool_call_id: id, tool_name: name } = event.payload;
        open.set(`tool:${id}`, { kind: 'tool', label: name, from: at, first: null });
        break;
      }
      case 'tool_result':
        close(`tool:${event.payload.tool_call_id}`, at);
        break;
      case 'input_requested': {
        const { request_id: id } = event.payload;
        open.set(`person:${id}`, { kind: 'person', label: 'Waits for an answer', from: at, first: null });
        break;
      }
      case 'input_resolved':
        close(`person:${event.payload.request_id}`, at);
        break;
      case 'run_finished':
        // What failed or was stopped has no end of its own.
        for (const key of [...open.keys()]) close(key, at);
        break;
    }
  }
  for (const [key, span] of open) spans.push({ key, ...span, to: end, isOver: false });
  spans.sort((a, b) => a.from - b.from);
  // Less is the time that the network took, and says nothing about the model.
  const tokensPerSecond = writing >= 20 ? (written / writing) * 1000 : null;
  return { spans, total: end, firstTokenMs, tokensPerSecond };
}
