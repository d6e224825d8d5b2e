/** ExtensibleAPIFactory: where everything that an application adds to the server is put together. */
import type { CustomEventType } from '@llmgine/protocol';
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import type { EngineDefinition } from '../engines/types.ts';
import type { MessageTypes } from '../handlers/registry.ts';
import type { ClientConnection, MessageHandler } from '../handlers/types.ts';
import type { ModelProvider } from '../models/types.ts';
import type { Services } from '../services.ts';
import type { SessionKey, SessionRow } from '../storage/types.ts';
import type { ToolDefinition } from '../tools/types.ts';
import type { Messaging } from '../ws/messaging.ts';
import { EngineConfiguration } from './engine-configuration.ts';
import type { BaseHandler, HandlerContext, MessageFunction, RequestOf } from './handler.ts';
import { type MessageDefinition, WSMessage } from './messages.ts';

/** What a custom router may use. */
export interface RouterContext {
  readonly services: Services;
  readonly messaging: Messaging;
}

/**
 * Adds routes to a Fastify instance that is mounted at the router's prefix. Every route needs a credential like the
 * server's own; `request.principal` says whose.
 */
export type CustomRouter = (app: FastifyInstance, context: RouterContext) => void | Promise<void>;

export interface ApplicationCallbacks {
  onConnect?(connection: ClientConnection): void;
  onDisconnect?(connection: ClientConnection): void;
  onSessionCreated?(session: SessionRow): void;
  onSessionClosed?(session: SessionKey, reason: 'deleted' | 'expired'): void;
}

type HandlerClass = new () => BaseHandler<never>;

/**
 * Nothing global: the same factory can build several applications. A callback or a handler that throws is logged and
 * disturbs nobody.
 */
export class ExtensibleAPIFactory {
  readonly configuration: EngineConfiguration;
  readonly engines: EngineDefinition[] = [];
  readonly tools: ToolDefinition[] = [];
  readonly modelProviders: ModelProvider[] = [];
  readonly routers: { readonly prefix: string; readonly router: CustomRouter }[] = [];
  readonly callbacks: ApplicationCallbacks[] = [];
  readonly #messages: ((types: MessageTypes) => void)[] = [];

  constructor(configuration: EngineConfiguration = new EngineConfiguration({ engineName: 'llmgine' })) {
    this.configuration = configuration;
  }

  /** Throws when the handler's `messageType` is another one. The class is made once for each application. */
  registerCustomHandler(messageType: string, Handler: HandlerClass): this {
    const probe = new Handler() as unknown as BaseHandler;
    if (probe.messageType !== messageType || probe.requestModel.type !== messageType) {
      throw new TypeError(
        `${Handler.name} handles ${JSON.stringify(probe.messageType)} with the model of ` +
          `${JSON.stringify(probe.requestModel.type)}, but is registered for ${JSON.stringify(messageType)}`,
      );
    }
    this.#messages.push((types) => {
      const handler = new Handler() as unknown as BaseHandler;
      this.#register(types, handler.requestModel, handler.responseModel, (message, context) =>
        handler.handle(message, context.connection, context.sessionId, context),
      );
    });
    return this;
  }

  /** A handler as a function. `response` documents what it answers. */
  registerMessage<Request extends MessageDefinition>(
    request: Request,
    handle: MessageFunction<Request>,
    options: { readonly response?: MessageDefinition } = {},
  ): this {
    this.#messages.push((types) =>
      this.#register(types, request, options.response, handle as MessageFunction<MessageDefinition>),
    );
    return this;
  }

  /** Payloads of this event are validated, whoever publishes it: an engine, a client or a back end. */
  registerEvent(eventType: CustomEventType, schema: z.ZodType): this {
    this.#messages.push((types) => types.registerEvent(eventType, schema));
    return this;
  }

  /** Routes below a prefix, for example `/api/translations`. */
  registerCustomRouter(prefix: string, router: CustomRouter): this {
    if (!/^\/[^\s?#]+$/.test(prefix))
      throw new TypeError(`A router needs a path, not ${JSON.stringify(prefix)}`);
    this.routers.push({ prefix, router });
    return this;
  }

  registerEngine<Config extends z.ZodType>(definition: EngineDefinition<Config>): this {
    this.engines.push(definition as unknown as EngineDefinition);
    return this;
  }

  registerTool<Schema extends z.ZodType>(tool: ToolDefinition<Schema>): this {
    this.tools.push(tool as unknown as ToolDefinition);
    return this;
  }

  registerModelProvider(provider: ModelProvider): this {
    this.modelProviders.push(provider);
    return this;
  }

  on(callbacks: ApplicationCallbacks): this {
    this.callbacks.push(callbacks);
    return this;
  }

  /** Puts the message types into the registry of one application. */
  registerMessages(types: MessageTypes): void {
    for (const register of this.#messages) register(types);
  }

  #register(
    types: MessageTypes,
    request: MessageDefinition,
    response: MessageDefinition | undefined,
    handle: MessageFunction<MessageDefinition>,
  ): void {
    const { configuration } = this;
    const handler: MessageHandler = {
      type: request.type,
      schema: request.schema,
      touches: true,
      handle(data, core) {
        const settings = core.services.config.custom;
        const context: HandlerContext = { ...core, engineConfiguration: configuration, settings };
        const message = new WSMessage(request.type, data as object, core.messageId);
        const result = handle(message as RequestOf<MessageDefinition>, context);
        return result instanceof Promise ? result.then(toFrame) : toFrame(result);
      },
    };
    types.register(handler, {
      type: request.type,
      description: request.description,
      request: request.schema,
      response: response ? { type: response.type, schema: response.schema } : null,
    });
  }
}

function toFrame(response: { readonly type: string; readonly data: object } | undefined) {
  return response ? { type: response.type, data: response.data } : undefined;
}
