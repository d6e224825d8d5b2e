/** ExtensibleAPIFactory: where everything that an application adds to the server is put together. */
import { type CustomEventType, customEventTypeSchema } from '@llmgine/protocol';
import type { z } from 'zod';
import type { EngineDefinition } from '../engines/types.ts';
import type { MessageTypes } from '../handlers/registry.ts';
import type { ModelProvider } from '../models/types.ts';
import type { CredentialVerifier } from '../security/authenticate.ts';
import { CUSTOM_PERMISSION, type Permission } from '../security/permissions.ts';
import type { ToolDefinition } from '../tools/types.ts';
import type { Messaging } from '../ws/messaging.ts';
import { type Authentication, customVerifier } from './authentication.ts';
import type { ApplicationCallbacks } from './callbacks.ts';
import { assertFunction, assertMessageModel, assertObjectSchema, assertPermission } from './check.ts';
import { type CustomHandler, handlingBy } from './custom-handler.ts';
import { defineEngine, defineTool, type EngineCommands, type TypedEngineDefinition } from './define.ts';
import { EngineConfiguration } from './engine-configuration.ts';
import type { MessageFunction } from './handler.ts';
import { type CustomHandling, registerHandling } from './handling.ts';
import type { MessageModel, WSMessage } from './messages.ts';
import type { CustomRouter, MountedRouter } from './router.ts';

const ENGINE_TYPE = /^[^\s\p{C}]{1,100}$/u;

/**
 * What an application adds to the server: `createApp({ apiFactory })`. Nothing is global: one factory can build several
 * applications, but once it has built one, nothing can be added. Wrong names and names that are taken are a `TypeError`, at the latest when the application is made.
 */
export class ExtensibleAPIFactory {
  readonly configuration: EngineConfiguration;
  readonly #engines: EngineDefinition[] = [];
  readonly #tools: ToolDefinition[] = [];
  readonly #modelProviders: ModelProvider[] = [];
  readonly #verifiers: CredentialVerifier[] = [];
  readonly #routers: MountedRouter[] = [];
  readonly #callbacks: ApplicationCallbacks[] = [];
  readonly #messages: (() => CustomHandling)[] = [];
  readonly #events: (readonly [CustomEventType, z.ZodType])[] = [];
  #isUsed = false;

  constructor(configuration: EngineConfiguration = new EngineConfiguration({ engineName: 'llmgine' })) {
    this.configuration = configuration;
  }

  /** A handler class, of which every application gets an instance, or an instance that they share. */
  registerCustomHandler(messageType: string, handler: CustomHandler): this {
    this.#assertOpen();
    this.#messages.push(() => handlingBy(messageType, handler));
    return this;
  }

  /** A handler as a function. `response` documents what it answers. */
  registerMessage<Request extends WSMessage<object>>(
    request: MessageModel<Request>,
    handle: MessageFunction<Request>,
    options: { readonly response?: MessageModel } = {},
  ): this {
    this.#assertOpen();
    assertMessageModel('What registerMessage takes', request);
    assertFunction(`The handler of ${JSON.stringify(request.type)}`, handle);
    if (options.response)
      assertMessageModel(`The response to ${JSON.stringify(request.type)}`, options.response);
    this.#messages.push(() => ({
      request,
      response: options.response,
      handle: handle as MessageFunction<WSMessage<object>>,
    }));
    return this;
  }

  /** Payloads of this event are validated, whoever publishes it: an engine, a client or a back end. */
  registerEvent(eventType: CustomEventType, schema: z.ZodType): this {
    this.#assertOpen();
    if (!customEventTypeSchema.safeParse(eventType).success) {
      throw new TypeError(`Event type ${JSON.stringify(eventType)} is not "custom:" and a name`);
    }
    assertObjectSchema(`The schema of event ${JSON.stringify(eventType)}`, schema);
    this.#events.push([eventType, schema]);
    return this;
  }

  /**
   * Routes below a prefix, for example `/api/translations`. They ask for `permission`, by default `sessions:write`, where
   * they name no other.
   */
  registerCustomRouter(
    prefix: string,
    router: CustomRouter,
    { permission = CUSTOM_PERMISSION }: { readonly permission?: Permission } = {},
  ): this {
    this.#assertOpen();
    if (!/^\/[^\s?#]*[^\s?#/]$/.test(prefix)) {
      throw new TypeError(`A router needs a path such as "/api/notes", not ${JSON.stringify(prefix)}`);
    }
    assertFunction(`The router at ${prefix}`, router);
    assertPermission(`The permission of the router at ${prefix}`, permission);
    this.#routers.push({ prefix, router, permission });
    return this;
  }

  registerEngine<Config extends z.ZodType, const Commands extends EngineCommands = Record<never, never>>(
    definition: TypedEngineDefinition<Config, Commands>,
  ): this {
    this.#assertOpen();
    if (!ENGINE_TYPE.test(definition.type)) {
      throw new TypeError(
        `Engine type ${JSON.stringify(definition.type)} is not a name of 1 to 100 characters without spaces`,
      );
    }
    this.#engines.push(defineEngine(definition) as unknown as EngineDefinition);
    return this;
  }

  registerTool<Schema extends z.ZodType>(tool: ToolDefinition<Schema>): this {
    this.#assertOpen();
    this.#tools.push(defineTool(tool) as unknown as ToolDefinition);
    return this;
  }

  /** Makes the models called `NAME:…`. One with the name of a built-in provider replaces it. */
  registerModelProvider(provider: ModelProvider): this {
    this.#assertOpen();
    if (!/^[a-z0-9-]+$/.test(provider.name)) {
      throw new TypeError(`Provider name ${JSON.stringify(provider.name)} must be of a-z, 0-9 and "-"`);
    }
    this.#modelProviders.push(provider);
    return this;
  }

  /**
   * Credentials of your own, besides keys and tokens: whoever offers one as a bearer, in `X-API-Key` or as a WebSocket
   * subprotocol is who `authenticate` says. It is asked before stored keys and JWTs. Callers on the same machine need none
   * unless `LLMGINE_API_AUTH` is `required`.
   */
  registerAuthentication(authenticate: Authentication): this {
    this.#assertOpen();
    assertFunction('What registerAuthentication takes', authenticate);
    this.#verifiers.push(customVerifier(authenticate));
    return this;
  }

  on(callbacks: ApplicationCallbacks): this {
    this.#assertOpen();
    this.#callbacks.push(callbacks);
    return this;
  }

  get engines(): readonly EngineDefinition[] {
    return this.#engines;
  }

  get tools(): readonly ToolDefinition[] {
    return this.#tools;
  }

  get modelProviders(): readonly ModelProvider[] {
    return this.#modelProviders;
  }

  get verifiers(): readonly CredentialVerifier[] {
    return this.#verifiers;
  }

  get routers(): readonly MountedRouter[] {
    return this.#routers;
  }

  get callbacks(): readonly ApplicationCallbacks[] {
    return this.#callbacks;
  }

  /** @internal Puts the message types and events into the registry of one application. */
  registerMessages(types: MessageTypes, messaging: () => Messaging): void {
    this.#isUsed = true;
    for (const make of this.#messages) {
      registerHandling(types, make(), { messaging, configuration: this.configuration });
    }
    for (const [eventType, schema] of this.#events) types.registerEvent(eventType, schema);
  }

  #assertOpen(): void {
    if (!this.#isUsed) return;
    throw new TypeError(
      'This factory has built an application already: register everything before createApp',
    );
  }
}
