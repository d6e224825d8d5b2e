import { ApiError, MESSAGE_TYPE, SERVER_FRAMES } from '@llmgine/protocol';
import type { z } from 'zod';
import { isPermission, PERMISSIONS } from '../security/permissions.ts';
import { fieldErrors } from '../validation.ts';
import { audioBeginHandler, audioEndHandler } from './audio.ts';
import { authenticateHandler } from './authenticate.ts';
import { cancelHandler, commandHandler } from './command.ts';
import { getEngineTypesHandler, linkEngineHandler, unlinkEngineHandler } from './engines.ts';
import { eventHandler } from './event.ts';
import { helloHandler } from './hello.ts';
import { historyHandler } from './history.ts';
import { pingHandler } from './ping.ts';
import { claimRequestHandler, serverResponseHandler } from './requests.ts';
import { statusHandler } from './status.ts';
import { subscribeHandler, unsubscribeHandler } from './subscribe.ts';
import type { MessageHandler } from './types.ts';

const CORE_HANDLERS: readonly MessageHandler[] = [
  pingHandler,
  getEngineTypesHandler,
  linkEngineHandler,
  statusHandler,
  helloHandler,
  authenticateHandler,
  unlinkEngineHandler,
  commandHandler,
  cancelHandler,
  subscribeHandler,
  unsubscribeHandler,
  eventHandler,
  historyHandler,
  claimRequestHandler,
  serverResponseHandler,
  audioBeginHandler,
  audioEndHandler,
];

/** A message type that somebody added: what is sent, and what is answered where that is declared. */
export interface CustomMessageType {
  readonly type: string;
  readonly description?: string | undefined;
  readonly request: z.ZodType;
  readonly response: { readonly type: string; readonly schema: z.ZodType } | null;
}

/** The message types of one application: the core ones and those that were added, and the schemas of custom events. */
export class MessageTypes {
  readonly #handlers = new Map<string, MessageHandler>(
    CORE_HANDLERS.map((handler) => [handler.type, handler]),
  );
  readonly #custom: CustomMessageType[] = [];
  readonly #events = new Map<string, z.ZodType>();

  /** Throws when the type is not a name, is taken, or is one that the server sends. */
  register(handler: MessageHandler, description: CustomMessageType): void {
    const { type, permission } = handler;
    if (!MESSAGE_TYPE.test(type)) throw new TypeError(`Message type ${JSON.stringify(type)} is not a name`);
    if (this.#handlers.has(type))
      throw new TypeError(`There is a handler of ${JSON.stringify(type)} already`);
    if (Object.hasOwn(SERVER_FRAMES, type))
      throw new TypeError(`${JSON.stringify(type)} is a frame that the server sends`);
    if (permission !== null && !isPermission(permission))
      throw new TypeError(`${JSON.stringify(type)} needs a permission: ${PERMISSIONS.join(', ')}`);
    this.#handlers.set(type, handler);
    this.#custom.push(description);
  }

  /** Payloads of this custom event are validated from now on, whoever publishes it. */
  registerEvent(eventType: string, schema: z.ZodType): void {
    if (this.#events.has(eventType))
      throw new TypeError(`There is a schema of ${JSON.stringify(eventType)} already`);
    this.#events.set(eventType, schema);
  }

  get(type: string): MessageHandler | undefined {
    return this.#handlers.get(type);
  }

  get types(): readonly string[] {
    return [...this.#handlers.keys()];
  }

  /** The ones that were added. */
  get custom(): readonly CustomMessageType[] {
    return this.#custom;
  }

  get events(): ReadonlyMap<string, z.ZodType> {
    return this.#events;
  }

  /** Throws `VALIDATION_ERROR` when there is a schema for the event and it does not take the payload. */
  checkEvent(eventType: string, payload: unknown): void {
    const result = this.#events.get(eventType)?.safeParse(payload);
    if (!result || result.success) return;
    const errors = fieldErrors(result.error, 'payload');
    throw new ApiError(
      'VALIDATION_ERROR',
      `The payload of ${eventType} is not valid: ${errors[0]?.message}`,
      {
        errors,
      },
    );
  }
}
