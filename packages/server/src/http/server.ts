/** The HTTP face: builds the Fastify instance with its plugins and routes. */
import Fastify, { LogController } from 'fastify';
import type { Services } from '../services.ts';
import { auditRefusal } from './audit.ts';
import { registerOpenApi } from './openapi.ts';
import { registerAuth, registerPermissions } from './plugins/auth.ts';
import { registerBodies } from './plugins/body.ts';
import { createClientErrorHandler } from './plugins/client-errors.ts';
import { registerCors } from './plugins/cors.ts';
import { registerHeaders, setCommonHeaders } from './plugins/headers.ts';
import { registerNotFound } from './plugins/not-found.ts';
import { registerObservation } from './plugins/observe.ts';
import { registerProblems, sendProblem } from './plugins/problems.ts';
import { registerRateLimit } from './plugins/rate-limit.ts';
import { registerSchemas } from './plugins/schemas.ts';
import { toApiError } from './problem.ts';
import { newRequestId } from './raw-problem.ts';
import { registerAdminAudit } from './routes/admin-audit.ts';
import { registerAdminKeys } from './routes/admin-keys.ts';
import { registerAdminStop } from './routes/admin-stop.ts';
import { registerAuthSession } from './routes/auth.ts';
import { registerClientFile } from './routes/client-file.ts';
import { registerCommands } from './routes/commands.ts';
import { registerConsole } from './routes/console.ts';
import { registerDocs } from './routes/docs.ts';
import { registerEngines } from './routes/engines.ts';
import { registerEvents } from './routes/events.ts';
import { registerFiles } from './routes/files.ts';
import { registerFork } from './routes/fork.ts';
import { registerHealth } from './routes/health.ts';
import { registerInfo } from './routes/info.ts';
import { registerMessages } from './routes/messages.ts';
import { registerMetrics } from './routes/metrics.ts';
import { registerRequests } from './routes/requests.ts';
import { registerRoot } from './routes/root.ts';
import { registerRuns } from './routes/runs.ts';
import { registerSessionEngine } from './routes/session-engine.ts';
import { registerSessions } from './routes/sessions.ts';
import { registerTickets } from './routes/tickets.ts';
import { registerTransfer } from './routes/transfer.ts';
import { registerWebSocket } from './routes/web-socket.ts';
import { EventStreams } from './sse/event-streams.ts';
import type { HttpApp } from './types.ts';
import { owesAnswer, trackAnswers } from './unfinished-answers.ts';

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 5_000;
const TIMEOUT_CHECK_MS = 1_000;
/** How long a client that does not read its answer can hold up the end. */
const LAST_ANSWERS_MS = 2_000;
const MAX_HEADER_BYTES = 16_384;

/**
 * Not listening yet, and not `ready()`: routes may be added before. Closing it sends the clients of open event streams
 * away and waits for the other requests.
 */
export async function createHttpServer(services: Services): Promise<HttpApp> {
  const { config, logger, metrics } = services;
  const clientErrors = createClientErrorHandler(logger);
  const app: HttpApp = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: newRequestId,
    requestIdHeader: false,
    bodyLimit: config.values.maxBodySize,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Draining is the application's: it goes on answering while load balancers still send requests.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Checked in a hook, which answers with a problem.
      requireHostHeader: false,
      // A client that offers HTTP/2 with `Upgrade: h2c` is answered with HTTP/1.1 instead of being taken for a WebSocket.
      // A handshake before the answer to an earlier request is a request like others: that answer would end up between
      // the frames.
      shouldUpgradeCallback: ({ headers, socket }) =>
        headers.upgrade?.toLowerCase() === 'websocket' && !owesAnswer(socket),
    },
    clientErrorHandler: clientErrors.onClientError,
    // An address that cannot be read: it goes wrong before any hook.
    frameworkErrors: (error, request, reply) => {
      setCommonHeaders(request, reply);
      sendProblem(request, reply, toApiError(error), undefined);
    },
  }).withTypeProvider();
  // Node drops headers beyond the 2000th silently, and with them what says that a request was forwarded.
  app.server.maxHeadersCount = 0;
  trackAnswers(app.server);
  clientErrors.attach(app.server);
  registerSchemas(app);
  registerProblems(app, config, metrics, (request, error) => auditRefusal(services, request, error));
  registerObservation(app, metrics, services.limits.clientAddress);
  registerBodies(app);
  registerHeaders(app, config);
  await registerCors(app, config);
  registerAuth(app, services.authenticate, config);
  registerRateLimit(app, services.limits);
  registerPermissions(app);
  registerNotFound(app);
  await registerOpenApi(app, config);

  const streams = new EventStreams(services);
  app.decorate('eventStreams', streams);
  app.addHook('preClose', async () => {
    streams.close('the server is stopping');
    const timer = setTimeout(() => app.server.closeAllConnections(), LAST_ANSWERS_MS).unref();
    app.server.once('close', () => clearTimeout(timer));
  });
  registerRoot(app, services);
  registerHealth(app, services);
  registerSessions(app, services);
  registerFork(app, services);
  await registerTransfer(app, services);
  registerEngines(app, services);
  registerSessionEngine(app, services);
  registerCommands(app, services, streams);
  registerRuns(app, services);
  registerRequests(app, services);
  registerEvents(app, services, streams);
  registerMessages(app, services);
  await registerFiles(app, services);
  registerTickets(app, services);
  registerAuthSession(app, services);
  registerWebSocket(app);
  registerInfo(app, services);
  registerMetrics(app, services);
  registerAdminAudit(app, services);
  registerAdminStop(app, services);
  registerAdminKeys(app, services);
  await registerDocs(app, services);
  await registerClientFile(app);
  await registerConsole(app, services);
  return app;
}
