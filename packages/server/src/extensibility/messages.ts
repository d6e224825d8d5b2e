import type { MessageId } from '@llmgine/protocol';
import type { z } from 'zod';
import { CUSTOM_PERMISSION, type Permission } from '../security/permissions.ts';
import { assertObjectSchema, assertPermission } from './check.ts';

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

/** What the server needs to know of a message class; the classes that `defineMessage` makes have it. */
export interface MessageModel<Message extends WSMessage<object> = WSMessage<object>> {
  new (...parameters: never): Message;
  readonly prototype: Message;
  readonly type: string;
  readonly schema: z.ZodType<object>;
  readonly description: string | undefined;
  readonly permission?: Permission;
}

/** A message class whose constructor takes the data. */
export interface MessageClass<Schema extends z.ZodType<object>> {
  /** For those who send it. What a handler gets is made from valid data without the constructor. */
  new (data: z.output<Schema>, messageId?: MessageId): WSMessage<z.output<Schema>>;
  readonly prototype: WSMessage<z.output<Schema>>;
  readonly type: string;
  readonly schema: Schema;
  readonly description: string | undefined;
  readonly permission: Permission;
}

/**
 * A message type of your own, as a class: its name and the schema of its `data`. The schema validates what clients send
 * before the handler runs, types it there, and documents it in `/api/info`, `/asyncapi.json` and `/docs`. Who sends it
 * needs `permission`, by default `sessions:write`. Throws a `TypeError` for what is no Zod 4 schema of an object.
 *
 * @example
 * class CustomRequest extends defineMessage('custom_request', z.object({ custom_data: z.string() })) {}
 * class CustomResponse extends defineMessage('custom_response', z.object({ result: z.string() })) {}
 */
export function defineMessage<Schema extends z.ZodType<object>>(
  type: string,
  schema: Schema,
  options: { readonly description?: string; readonly permission?: Permission } = {},
): MessageClass<Schema> {
  assertObjectSchema(`The schema of message ${JSON.stringify(type)}`, schema);
  const { permission = CUSTOM_PERMISSION } = options;
  assertPermission(`The permission of message ${JSON.stringify(type)}`, permission);
  return class DefinedMessage extends WSMessage<z.output<Schema>> {
    static readonly type = type;
    static readonly schema = schema;
    static readonly description = options.description;
    static readonly permission = permission;

    constructor(data: z.output<Schema>, messageId?: MessageId) {
      super(type, data, messageId);
    }
  };
}

/** The type of a message's `data`: `MessageData<typeof CustomRequest>`. */
export type MessageData<Model extends MessageModel> = z.output<Model['schema']>;
