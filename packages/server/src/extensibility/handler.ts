import type { MessageId } from '@llmgine/protocol';
import type { Logger } from 'pino';
import type { ClientConnection } from '../handlers/types.ts';
import type { Principal } from '../security/principal.ts';
import type { Services } from '../services.ts';
import type { Messaging } from '../ws/messaging.ts';
import type { EngineConfiguration } from './engine-configuration.ts';
import type { MessageModel, WSMessage } from './messages.ts';
import type { SessionHandle } from './session-handle.ts';

/** A frame that answers: a `WSResponse`, a message of a class, or just an object of this form. */
export interface Reply {
  readonly type: string;
  readonly data: object;
}

/** What a custom handler may use, besides the message: the connection that sent it, and what is behind it. */
export interface HandlerContext {
  /** Sends a frame to the connection that is no reply. */
  send(frame: Reply): void;
  readonly connection: ClientConnection;
  readonly principal: Principal;
  readonly sessionId: string;
  /** The session: its engine, its runs, its events. */
  readonly session: SessionHandle;
  readonly messageId: MessageId | undefined;
  /** Aborts when the handler's time (`LLMGINE_API_HANDLER_TIMEOUT`) is up or the connection closes. */
  readonly signal: AbortSignal;
  /** Its lines carry the ids of the connection and the session. */
  readonly logger: Logger;
  /** The configuration that the factory was made with. */
  readonly engineConfiguration: EngineConfiguration;
  /** `custom` of the configuration. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Sends to other connections what they did not ask for. */
  readonly messaging: Messaging;
  readonly services: Services;
  /** Answers before the handler returns, also more than once; each reply repeats the request's `message_id`. */
  reply(reply: Reply): void;
}

// biome-ignore lint/suspicious/noConfusingVoidType: an async method without a return is one that answers nothing
export type HandlerResult = Reply | undefined | void;

/**
 * Handles one message type. The data is valid when `handle` is called; what it returns is sent as the reply. Throw
 * `ApiError` to answer with a code of the error table; anything else that is thrown is logged, and the client gets
 * `WEBSOCKET_ERROR`. An instance handles the messages of all connections, so it keeps nothing of one of them.
 *
 * @example
 * class CustomHandler extends BaseHandler<CustomRequest> {
 *   readonly messageType = 'custom_request';
 *   readonly requestModel = CustomRequest;
 *
 *   async handle(message: CustomRequest) {
 *     return new CustomResponse({ result: `Processed: ${message.data.custom_data}` });
 *   }
 * }
 */
export abstract class BaseHandler<Request extends WSMessage<object> = WSMessage<object>> {
  abstract readonly messageType: string;
  abstract readonly requestModel: MessageModel<Request>;
  /** Documents what is answered; optional. */
  readonly responseModel?: MessageModel | undefined;

  abstract handle(
    message: Request,
    websocket: HandlerContext,
    sessionId: string,
  ): HandlerResult | Promise<HandlerResult>;
}

/** A handler as a function. */
export type MessageFunction<Request extends WSMessage<object>> = (
  message: Request,
  context: HandlerContext,
) => HandlerResult | Promise<HandlerResult>;
