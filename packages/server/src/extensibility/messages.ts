import type { MessageId } from '@llmgine/protocol';
import type { z } from 'zod';

/** A message of the wire: `{ type, data }`, with the `message_id` that the client gave it. */
export class WSMessage<Data extends object = Record<string, unknown>> {
  readonly type: string;
  readonly data: Data;
  readonly message_id: MessageId | undefined;

  constructor(type: string, data: Data, messageId?: MessageId) {
    this.type = type;
    this.data = data;
    this.message_id = messageId;
  }
}

/** What a handler answers: `{ type, data }`. The request's `message_id` is added to it. */
export class WSResponse<Data extends object = Record<string, unknown>> {
  readonly type: string;
  readonly data: Data;

  constructor(type: string, data: Data) {
    this.type = type;
    this.data = data;
  }
}

/**
 * A message type of your own: its name and the schema of its `data`. It validates what clients send before the handler
 * runs, types it in the handler, and documents it in `/api/info`, `/asyncapi.json` and `/docs`.
 */
export interface MessageDefinition<Schema extends z.ZodType = z.ZodType> {
  readonly type: string;
  readonly schema: Schema;
  readonly description: string | undefined;
  /** A response of this type. `data` is what the schema takes; it is checked, and a mistake is a mistake of the server. */
  create(data: z.input<Schema>): WSResponse<z.output<Schema> & object>;
}

/**
 * @example
 * const CustomRequest = defineMessage('custom_request', z.object({ custom_data: z.string() }));
 */
export function defineMessage<Schema extends z.ZodObject>(
  type: string,
  schema: Schema,
  options: { readonly description?: string } = {},
): MessageDefinition<Schema> {
  return Object.freeze({
    type,
    schema,
    description: options.description,
    create: (data: z.input<Schema>) => new WSResponse(type, schema.parse(data) as z.output<Schema> & object),
  });
}

/** The type of a message's `data`. */
export type MessageData<Definition extends MessageDefinition> = z.output<Definition['schema']>;
