/** Types of messages of the application's own, from a map of its requests and responses. */
import type {
  CoreEventType,
  CustomEventType,
  EventType,
  JsonObject,
  SessionEvent,
} from '@llmgine/protocol/wire';

/**
 * Message type → what is sent and what is answered, for example from the server's own schemas:
 *
 *     type Messages = { greet: { request: z.input<typeof greetRequest>; response: z.output<typeof greetResponse> } };
 *     const client = new LlmgineClient<Messages>();
 */
export type MessageMap = {
  readonly [type: string]: { readonly request: object; readonly response: unknown };
};

/** Without a map: any message, with anything in it. */
export type AnyMessages = {
  readonly [type: string]: { readonly request: JsonObject; readonly response: JsonObject };
};

/** An event of one type. */
export type EventOf<T extends EventType> = T extends CoreEventType
  ? Extract<SessionEvent, { event_type: T }>
  : Extract<SessionEvent, { event_type: CustomEventType }>;
