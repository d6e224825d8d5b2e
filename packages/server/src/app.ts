/** The composition root: builds one application from its configuration and what its factory adds. */
import type { AddressInfo } from 'node:net';
import type { InjectOptions, Response } from 'light-my-request';
import type { Logger } from 'pino';
import { createBrowserSessions } from './app/browser-sessions.ts';
import { createCredentials } from './app/credentials.ts';
import { createEngines, type Engines } from './app/engines.ts';
import { createKeys, hasKeyInUse } from './app/keys.ts';
import { createLimits } from './app/limits.ts';
import { createRuns } from './app/runs.ts';
import { createTransfers } from './app/transfers.ts';
import { createLocalCluster } from './cluster/local.ts';
import { APIConfig, type ConfigInput } from './config.ts';
import { connectCallbacks } from './extensibility/callbacks.ts';
import { ExtensibleAPIFactory } from './extensibility/factory.ts';
import { mountRouters } from './extensibility/router.ts';
import { MessageTypes } from './handlers/registry.ts';
import { refuseUpgrade } from './http/refuse-upgrade.ts';
import { createHttpServer } from './http/server.ts';
import type { HttpApp } from './http/types.ts';
import { createLogger } from './observability/logging.ts';
import { createMetrics } from './observability/metrics.ts';
import type { Executor } from './runs/executor.ts';
import { Ownership } from './runs/ownership.ts';
import type { RequestExpiry } from './runs/request-expiry.ts';
import { AuditLog } from './security/audit/log.ts';
import { assertSomebodyMayEnter, authMode, authWarnings, describeAuth } from './security/auth-mode.ts';
import { createAuthenticator } from './security/authenticate.ts';
import { createJwt } from './security/jwt/create.ts';
import type { Services } from './services.ts';
import { FileService } from './sessions/files.ts';
import { SessionLog } from './sessions/log.ts';
import { SessionService } from './sessions/service.ts';
import { SteadyClock } from './sessions/steady-clock.ts';
import { openStorage } from './storage/open.ts';
import type { SessionKey, Storage } from './storage/types.ts';
import { Gateway } from './ws/gateway.ts';
import { Messaging } from './ws/messaging.ts';

export interface AppOptions {
  /** Settings, or a configuration that is loaded already. The environment and the file count too; see `APIConfig`. */
  readonly config?: APIConfig | Partial<ConfigInput>;
  /** What the application adds. */
  readonly apiFactory?: ExtensibleAPIFactory;
  /** Default: as the configuration says. */
  readonly logger?: Logger;
}

/** What people read when the server starts. */
export interface AppDescription {
  readonly title: string;
  readonly version: string;
  readonly model: { readonly id: string; readonly hint: string };
  readonly storage: string;
  readonly auth: string;
  /** Whether the console is served. */
  readonly console: boolean;
  /** Also on the same machine. */
  readonly needsCredential: boolean;
}

/**
 * Builds an application. Opens the storage and takes over the runs that a dead process left behind;
 * `listen` opens the port and executes what is queued. Throws `ConfigError`, `StorageInUseError`, and a
 * `TypeError` for a wrong option or extension; nothing stays open then.
 */
export async function createApp(options: AppOptions = {}): Promise<App> {
  assertOptions(options);
  const config = options.config instanceof APIConfig ? options.config : new APIConfig(options.config);
  const logger = options.logger ?? createLogger({ ...config.values, redact: (line) => config.redact(line) });
  for (const warning of [...config.warnings, ...authWarnings(config.values)]) logger.warn(warning);
  const report: Report = (stage, error) => logger.error({ err: error, stage }, `${stage} failed`);
  const storage = await openStorage(config.values, { onError: report });
  const opened = new AsyncDisposableStack();
  opened.defer(() => storage.close());
  try {
    const factory = options.apiFactory ?? new ExtensibleAPIFactory();
    await assertSomebodyMayEnter(
      config.values,
      async () => factory.verifiers.length > 0 || (await hasKeyInUse(storage)),
    );
    const app = await App.build(config, logger, storage, factory, opened, report);
    await app.start();
    return app;
  } catch (error) {
    // What stopped the start is what the caller has to hear of.
    await opened.disposeAsync().catch((failure: unknown) => report('close', failure));
    throw error;
  }
}

const OPTIONS = ['config', 'apiFactory', 'logger'] as const satisfies readonly (keyof AppOptions)[];

/** A misspelt option would be one that has no effect. */
function assertOptions(options: AppOptions): void {
  const unknown = Object.keys(options).find((name) => !(OPTIONS as readonly string[]).includes(name));
  if (unknown === undefined) return;
  throw new TypeError(`createApp has no option ${JSON.stringify(unknown)}; it has: ${OPTIONS.join(', ')}`);
}

type Report = (stage: string, error: unknown) => void;

interface Parts {
  readonly services: Services;
  readonly executor: Executor;
  readonly http: HttpApp;
  readonly gateway: Gateway;
  readonly models: Engines['models'];
  readonly mcp: Engines['mcp'];
  readonly ownership: Ownership;
  readonly requestExpiry: RequestExpiry;
  readonly recover: (onQueued: (key: SessionKey) => void) => Promise<void>;
  /** How to close what is open, in the order in which it was opened: it is closed in the opposite one. */
  readonly opened: AsyncDisposableStack;
}

export class App {
  readonly config: APIConfig;
  readonly services: Services;
  /** Sends to connected clients what they did not ask for. */
  readonly messaging: Messaging;
  readonly #parts: Parts;
  #takenUp = false;
  #closing: Promise<void> | null = null;

  private constructor(parts: Parts, messaging: Messaging) {
    this.#parts = parts;
    this.services = parts.services;
    this.config = parts.services.config;
    this.messaging = messaging;
  }

  /** @internal `createApp` is the way in. */
  static async build(
    config: APIConfig,
    logger: Logger,
    storage: Storage,
    factory: ExtensibleAPIFactory,
    opened: AsyncDisposableStack,
    report: Report,
  ): Promise<App> {
    const { values } = config;
    const redact = (text: string) => config.redact(text);
    // Closed late: what is refused while the others stop is recorded, too.
    const audit = new AuditLog({ storage: storage.audit, logger, report, redact });
    opened.defer(() => audit.close());
    const limits = createLimits(config, logger, audit);
    const clock = new SteadyClock();
    const metrics = createMetrics();
    opened.defer(() => metrics.close());
    const cluster = createLocalCluster({ onListenerError: (error) => report('event listener', error) });
    opened.defer(() => cluster.close());
    const log = new SessionLog({
      storage,
      cluster,
      onCommit: (appends, events, streamed) => {
        metrics.committed(appends, events);
        sessions.eventsAppended(events, streamed);
      },
    });

    const messages = new MessageTypes();
    factory.registerMessages(messages, () => messaging);

    const { engines, tools, mcp, models, prices } = await createEngines({
      config,
      logger,
      factory,
      append: (append) => log.append(append),
      report,
      opened,
    });
    const sessions = new SessionService({
      storage,
      cluster,
      maxSessions: values.maxSessions,
      maxSessionsPerCaller: values.maxSessionsPerCaller,
      timeoutMs: values.sessionTimeout * 1000,
      idleTimeoutMs: values.sessionIdleTimeout * 1000,
      compactionMs: values.eventCompaction * 1000,
      retentionMs: values.eventRetention * 1000,
      report,
      engines,
      clock,
    });
    opened.defer(() => sessions.stop());
    const files = new FileService({
      storage,
      sessions,
      clock,
      maxSize: values.maxAudioSize,
      maxDuration: values.maxAudioDuration,
      report,
    });
    opened.defer(() => files.close());
    const transfers = createTransfers(values, { storage, sessions, engines, report });
    opened.defer(() => log.flushed());
    const { executor, runs, requests, requestExpiry, recover } = createRuns({
      config,
      logger,
      metrics,
      storage,
      cluster,
      log,
      sessions,
      engines,
      prices,
      clock,
      checkEvent: (type, payload) => messages.checkEvent(type, payload),
      report,
      opened,
    });
    const ownership = new Ownership({
      storage,
      report,
      onLost: () => {
        logger.warn('the claim on the runs of this process has run out; others may have taken them over');
        executor.lost();
        // What happened meanwhile was not heard here.
        const reason = 'this server was out of touch';
        void gateway.drain(reason);
        http.eventStreams.sendAway(reason);
      },
      onRenewed: async () => {
        await recover((key) => executor.notice(key));
        // Queued behind runs of a process that has died since.
        for (const key of await storage.sessionsWithQueuedRuns()) executor.notice(key);
        await requestExpiry.look();
        await sessions.look();
      },
    });
    opened.defer(() => ownership.stop());
    metrics.connect({
      counts: () => storage.counts(),
      activeRuns: () => executor.active,
      queuedRuns: () => storage.countQueuedRuns(),
      mcpServers: () => mcp.counts(),
    });

    const keys = createKeys(storage, report, opened);
    const jwt = createJwt(config, logger, report);
    opened.defer(() => jwt?.close());
    const shared = { config, keys, storage, runs, report, opened };
    const browserSessions = createBrowserSessions(shared);
    const { live, tickets, ticketVerifier } = createCredentials({ ...shared, browserSessions });
    const verifiers = [ticketVerifier, ...factory.verifiers, keys.verifier, ...(jwt ? [jwt.verifier] : [])];

    const services: Services = {
      config,
      logger,
      metrics,
      authenticate: limits.guard(createAuthenticator(config, logger, verifiers, browserSessions)),
      audit,
      limits,
      keys,
      browserSessions,
      live,
      tickets,
      storage,
      cluster,
      log,
      sessions,
      files,
      transfers,
      engines,
      runs,
      requests,
      tools,
      mcp,
      models,
      messages,
      engineName: factory.configuration.engineName,
      lifecycle: { draining: false, startedAt: Date.now() },
    };
    const http = await createHttpServer(services);
    opened.defer(() => http.close());
    opened.defer(() => limits.close());
    // Requests that wait for a run would keep it open; its event streams have been sent away by then.
    http.addHook('preClose', async () => runs.stop());
    const gateway = new Gateway(services, refuseUpgrade);
    opened.defer(() => gateway.close());
    gateway.attach(http.server);
    const messaging = new Messaging(gateway);
    await mountRouters(factory.routers, http, { services, messaging });
    connectCallbacks(factory.callbacks, { gateway, sessions, report });
    const parts = {
      services,
      executor,
      http,
      gateway,
      models,
      mcp,
      ownership,
      requestExpiry,
      recover,
      opened,
    };
    return new App(parts, messaging);
  }

  /** @internal Takes over what a process before left unfinished. */
  async start(): Promise<void> {
    const { services, http, recover, mcp } = this.#parts;
    // They are executed once somebody can see them: see `listen`.
    await recover(() => {});
    await services.sessions.start();
    mcp.start();
    await http.ready();
  }

  /** Once only: runs that are queued later are noticed when they are accepted. */
  #takeUp(queued: readonly SessionKey[]): void {
    if (this.#takenUp) return;
    this.#takenUp = true;
    const { executor, ownership, requestExpiry } = this.#parts;
    for (const key of queued) executor.notice(key);
    ownership.start();
    void requestExpiry.start();
  }

  /** Opens the port; by default the configured one. `url` is how the same machine reaches it. */
  async listen(
    options: { readonly host?: string; readonly port?: number } = {},
  ): Promise<{ url: string; host: string; port: number }> {
    const { http, services } = this.#parts;
    const host = options.host ?? this.config.values.host;
    // Read before the port is open, so that a failure leaves nothing half done.
    const queued = await services.storage.sessionsWithQueuedRuns();
    await http.listen({ host, port: options.port ?? this.config.values.port });
    // Started once somebody can see them: a start that finds its port taken must not begin what it cannot end.
    this.#takeUp(queued);
    const { port } = http.server.address() as AddressInfo;
    services.logger.info({ host, port, storage: services.storage.description }, 'listening');
    return { url: `http://${reachable(host)}:${port}`, host, port };
  }

  /** A request without a socket, for tests. */
  async inject(request: InjectOptions | string): Promise<Response> {
    if (!this.#takenUp) this.#takeUp(await this.services.storage.sessionsWithQueuedRuns());
    return this.#parts.http.inject(request) as Promise<Response>;
  }

  /**
   * Stops gracefully: readiness turns 503, sockets are told to go and are closed, runs get `graceMs` to finish (default:
   * the configured time), the log is flushed. Once only; a second call joins the first.
   */
  close(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.graceMs ?? this.config.values.shutdownGrace * 1000);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    const { services, executor, gateway, opened } = this.#parts;
    services.logger.info({ active_runs: executor.active, sockets: gateway.count }, 'stopping');
    services.lifecycle.draining = true;
    services.runs.drain();
    await Promise.all([gateway.drain('the server is stopping'), executor.stop(graceMs)]);
    await opened.disposeAsync();
    services.logger.info('stopped');
  }

  describe(): AppDescription {
    const { values } = this.config;
    const { models, services } = this.#parts;
    return {
      title: values.title,
      version: values.version,
      model: { id: models.defaultModel, hint: models.hint ?? 'set LLMGINE_API_MODEL to change it' },
      storage: services.storage.description,
      auth: describeAuth(values),
      console: values.console,
      needsCredential: authMode(values) === 'required',
    };
  }
}

/** The address that reaches a server bound to this host from the same machine. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
