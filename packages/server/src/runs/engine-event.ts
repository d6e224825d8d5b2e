import {
  CORE_EVENT_TYPES,
  type CoreEventType,
  customEventTypeSchema,
  EVENT_PAYLOADS,
} from '@llmgine/protocol';
import type { EngineEvent } from '../engines/types.ts';

/** The core events that are the engine's; those of runs, requests and engines are the server's. */
const ENGINE_EVENTS: ReadonlySet<string> = new Set(
  CORE_EVENT_TYPES.filter((type) => !/^(run_|input_|engine_)/.test(type)),
);

/**
 * Throws a `TypeError` for what is no event of an engine. Engines are other people's code, and not all of it is typed:
 * what they get wrong has to fail here, and not in the log, where it would fail with the events of others, nor in a
 * client, which would meet it for as long as the session lives.
 */
export function assertEngineEvent(event: EngineEvent): void {
  const { event_type: type, payload } = event as { event_type: string; payload: unknown };
  if (type === 'text_delta' || type === 'reasoning_delta') {
    // By hand, because these are the many.
    const { message_id, text } = (payload ?? {}) as { message_id?: unknown; text?: unknown };
    if (typeof message_id === 'string' && typeof text === 'string') return;
    throw new TypeError(`The payload of ${type} must be a message_id and a text`);
  }
  if (ENGINE_EVENTS.has(type)) {
    const result = EVENT_PAYLOADS[type as CoreEventType].safeParse(payload);
    if (result.success) return;
    const issue = result.error.issues[0];
    throw new TypeError(`The payload of ${type} is not valid: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  if (!customEventTypeSchema.safeParse(type).success) {
    throw new TypeError(`An engine cannot emit ${JSON.stringify(type)}`);
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw new TypeError(`The payload of ${type} must be an object`);
  }
}
