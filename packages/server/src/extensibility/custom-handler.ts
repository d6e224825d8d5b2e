import { assertMessageModel } from './check.ts';
import type { BaseHandler } from './handler.ts';
import type { CustomHandling } from './handling.ts';
import type { WSMessage } from './messages.ts';

type AnyHandler = BaseHandler<WSMessage<object>>;

/** A class, of which every application gets an instance, or an instance that they share. */
export type CustomHandler = (new () => AnyHandler) | AnyHandler;

/** Throws a `TypeError` for what is no handler of this message type. */
export function handlingBy(messageType: string, handler: CustomHandler): CustomHandling {
  const instance = instanceOf(messageType, handler);
  const { name } = instance.constructor;
  const { requestModel: request, responseModel: response } = instance;
  assertMessageModel(`requestModel of ${name}`, request);
  if (response !== undefined) assertMessageModel(`responseModel of ${name}`, response);
  if (instance.messageType !== messageType || request.type !== messageType) {
    throw new TypeError(
      `${name} handles ${JSON.stringify(instance.messageType)} with the model of ` +
        `${JSON.stringify(request.type)}, but is registered for ${JSON.stringify(messageType)}`,
    );
  }
  return {
    request,
    response,
    handle: (message, context) => instance.handle(message, context, context.sessionId),
  };
}

function instanceOf(messageType: string, handler: CustomHandler): AnyHandler {
  // Functions that are no constructors have no prototype.
  const isClass = typeof handler === 'function' && handler.prototype !== undefined;
  const instance = isClass ? new handler() : handler;
  if (typeof instance === 'object' && typeof instance?.handle === 'function') return instance;
  throw new TypeError(
    `The handler of ${JSON.stringify(messageType)} must be a class with a method "handle", or an instance of one; ` +
      'registerMessage takes a function',
  );
}
