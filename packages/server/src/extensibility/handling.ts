/** From a custom handler to one that the dispatch of the server runs. */
import type { MessageId } from '@llmgine/protocol';
import type { MessageTypes } from '../handlers/registry.ts';
import type { HandlerContext as CoreContext, OutgoingFrame } from '../handlers/types.ts';
import { CUSTOM_PERMISSION } from '../security/permissions.ts';
import type { Messaging } from '../ws/messaging.ts';
import type { EngineConfiguration } from './engine-configuration.ts';
import type { HandlerContext, HandlerResult, MessageFunction } from './handler.ts';
import type { MessageModel, WSMessage } from './messages.ts';
import { SessionHandle } from './session-handle.ts';

/** A message type and what is done with it. */
export interface CustomHandling {
  readonly request: MessageModel;
  readonly response: MessageModel | undefined;
  readonly handle: MessageFunction<WSMessage<object>>;
}

interface Extension {
  readonly messaging: () => Messaging;
  readonly configuration: EngineConfiguration;
}

export function registerHandling(
  types: MessageTypes,
  { request, response, handle }: CustomHandling,
  extension: Extension,
): void {
  const { type, schema, description } = request;
  types.register(
    {
      type,
      schema,
      permission: request.permission ?? CUSTOM_PERMISSION,
      touches: true,
      handle: async (data, core) =>
        toFrame(
          type,
          await handle(instance(request, data as object, core.messageId), contextOf(core, extension)),
        ),
    },
    {
      type,
      description,
      request: schema,
      response: response ? { type: response.type, schema: response.schema } : null,
    },
  );
}

/** Without its constructor: a message class may have one of its own, for those who send it. */
function instance(request: MessageModel, data: object, message_id: MessageId | undefined): WSMessage<object> {
  const message = Object.create(request.prototype) as WSMessage<object>;
  return Object.assign(message, { type: request.type, data, message_id });
}

function contextOf(core: CoreContext, { messaging, configuration }: Extension): HandlerContext {
  const { connection, principal, sessionId, messageId, signal, logger, services, reply } = core;
  return {
    send: (frame) => connection.send(frame),
    connection,
    principal,
    sessionId,
    session: new SessionHandle(services, principal, sessionId),
    messageId,
    signal,
    logger,
    engineConfiguration: configuration,
    settings: services.config.custom,
    messaging: messaging(),
    services,
    reply: ({ type, data }) => reply(type, data),
  };
}

/** A message knows the `message_id` of its request; the reply gets it from the connection. */
function toFrame(request: string, result: HandlerResult): OutgoingFrame | undefined {
  if (result === undefined) return undefined;
  const { type, data } = (result ?? {}) as Partial<OutgoingFrame>;
  if (typeof type !== 'string' || typeof data !== 'object' || data === null) {
    throw new TypeError(`The handler of "${request}" has to return { type, data } or nothing`);
  }
  return { type, data };
}
