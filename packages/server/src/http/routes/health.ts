import { ApiError, healthSchema, liveSchema, readySchema } from '@llmgine/protocol';
import type { Services } from '../../services.ts';
import { publicProblems } from '../responses.ts';
import type { HttpApp } from '../types.ts';

/** A probe that waits longer would be given up by most orchestrators. */
const CHECK_TIMEOUT_MS = 2000;

export function registerHealth(app: HttpApp, services: Services): void {
  const options = { config: { public: true } };
  const common = { tags: ['health'], security: [] };

  app.get(
    '/health',
    {
      ...options,
      schema: {
        ...common,
        operationId: 'getHealth',
        summary: 'Whether the server answers',
        response: { 200: healthSchema, ...publicProblems() },
      },
    },
    async () => ({
      status: 'healthy' as const,
      service: 'llmgine-api' as const,
      timestamp: new Date().toISOString(),
      uptime: process.uptime(),
    }),
  );

  app.get(
    '/health/ready',
    {
      ...options,
      schema: {
        ...common,
        operationId: 'getReadiness',
        summary: 'Whether this server can do its work now',
        response: { 200: readySchema, ...publicProblems('UNAVAILABLE') },
      },
    },
    async () => {
      if (services.lifecycle.draining) throw new ApiError('UNAVAILABLE', 'The server is stopping');
      const counts = await checkedCounts(services);
      const monitor = services.sessions.monitorRunning;
      if (!monitor)
        throw new ApiError('UNAVAILABLE', 'The sessions are not ready: their expiry is not running');
      return {
        status: 'ready' as const,
        timestamp: new Date().toISOString(),
        services: {
          sessions: { initialized: true, monitor_running: monitor, count: counts.sessions },
          engines: { initialized: true, monitor_running: monitor, count: counts.engines },
        },
      };
    },
  );

  app.get(
    '/health/live',
    {
      ...options,
      schema: {
        ...common,
        operationId: 'getLiveness',
        summary: 'Whether the process runs; asks nothing else, so that a slow database restarts no process',
        response: { 200: liveSchema, ...publicProblems() },
      },
    },
    async () => ({
      status: 'alive' as const,
      timestamp: new Date().toISOString(),
      pid: services.config.values.debug ? process.pid : null,
    }),
  );
}

async function checkedCounts({ storage }: Services): Promise<{ sessions: number; engines: number }> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('no answer in time')), CHECK_TIMEOUT_MS);
  try {
    const counts = storage.check().then(() => storage.counts());
    return await Promise.race([counts, late.promise]);
  } catch (error) {
    throw new ApiError('UNAVAILABLE', 'The storage is not ready', { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
