import type { z } from 'zod';
import type { ClientConnection, HandlerContext as CoreContext } from '../handlers/types.ts';
import type { EngineConfiguration } from './engine-configuration.ts';
import type { MessageDefinition, WSMessage, WSResponse } from './messages.ts';

/** What a custom handler may use, besides the message. */
export interface HandlerContext extends CoreContext {
  /** The configuration that the factory was made with. */
  readonly engineConfiguration: EngineConfiguration;
  /** `custom` of the configuration. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * Handles one message type. The data is valid when `handle` is called; what it returns is sent as the reply. Throw
 * `ApiError` to answer with a code of the error table; anything else that is thrown is logged, and the client gets
 * `WEBSOCKET_ERROR`.
 *
 * @example
 * class CustomHandler extends BaseHandler<typeof CustomRequest> {
 *   readonly messageType = 'custom_request';
 *   readonly requestModel = CustomRequest;
 *   async handle(message: RequestOf<typeof CustomRequest>) {
 *     return new WSResponse('custom_response', { result: `Processed: ${message.data.custom_data}` });
 *   }
 * }
 */
export abstract class BaseHandler<Request extends MessageDefinition = MessageDefinition> {
  abstract readonly messageType: string;
  abstract readonly requestModel: Request;
  /** Documents what is answered; optional. */
  readonly responseModel?: MessageDefinition | undefined;

  abstract handle(
    message: RequestOf<Request>,
    websocket: ClientConnection,
    sessionId: string,
    context: HandlerContext,
  ): Promise<WSResponse<object> | undefined> | WSResponse<object> | undefined;
}

/** A valid message of a definition. */
export type RequestOf<Request extends MessageDefinition> = WSMessage<z.output<Request['schema']> & object>;

/** A handler as a function. */
export type MessageFunction<Request extends MessageDefinition> = (
  message: RequestOf<Request>,
  context: HandlerContext,
) => Promise<WSResponse<object> | undefined> | WSResponse<object> | undefined;
