/** The part of an application that executes: runs, what they ask people, and what a dead process has left of them. */
import type { Logger } from 'pino';
import type { Cluster } from '../cluster/types.ts';
import type { APIConfig } from '../config.ts';
import type { Metrics } from '../observability/metrics.ts';
import { readBudgets } from '../runs/budgets.ts';
import { Executor, type ExecutorOptions } from '../runs/executor.ts';
import { recoverRuns } from '../runs/recovery.ts';
import { RequestExpiry } from '../runs/request-expiry.ts';
import { RequestService } from '../runs/requests.ts';
import { RunService } from '../runs/service.ts';
import { isOperator } from '../security/principal.ts';
import type { SessionLog } from '../sessions/log.ts';
import type { SessionService } from '../sessions/service.ts';
import type { SteadyClock } from '../sessions/steady-clock.ts';
import type { SessionKey, Storage } from '../storage/types.ts';
import type { Engines } from './engines.ts';

export interface RunParts extends Pick<Engines, 'engines' | 'prices'> {
  readonly config: APIConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly storage: Storage;
  readonly cluster: Cluster;
  readonly log: SessionLog;
  readonly sessions: SessionService;
  readonly clock: SteadyClock;
  readonly checkEvent: ExecutorOptions['checkEvent'];
  readonly report: ExecutorOptions['report'];
  /** Takes how to close what is opened here. */
  readonly opened: AsyncDisposableStack;
}

export interface Runs {
  readonly executor: Executor;
  readonly runs: RunService;
  readonly requests: RequestService;
  readonly requestExpiry: RequestExpiry;
  /** Takes over the runs whose owner is gone; those that are queued then are told. */
  readonly recover: (onQueued: (key: SessionKey) => void) => Promise<void>;
}

export function createRuns(parts: RunParts): Runs {
  const { config, logger, metrics, storage, cluster, log, sessions, engines, clock, report, opened } = parts;
  const { values } = config;
  const executor = new Executor({
    storage,
    log,
    engines,
    timeoutMs: values.runTimeout * 1000,
    budgets: readBudgets(config),
    prices: parts.prices,
    requestTimeoutMs: values.requestTimeout * 1000,
    onAsked: (expiresAt) => requestExpiry.notice(expiresAt),
    maxConcurrent: values.maxConcurrentRuns,
    // Without a key, the operator is whoever sits at this machine.
    maxOfCaller: (caller) =>
      values.key === undefined && isOperator(caller) ? Number.POSITIVE_INFINITY : values.maxRunsPerCaller,
    logger,
    details: (error) => config.details(error),
    checkEvent: parts.checkEvent,
    report,
    onEnded: ({ status, usage, seconds, at }) => {
      metrics.runEnded(status, seconds);
      if (usage) metrics.tokens(usage);
      sessions.runEnded(at);
    },
  });
  // For what a router has started before the start failed; otherwise it has stopped by then.
  opened.defer(() => executor.stop(0));
  cluster.onNotice((notice) => executor.sessionClosed(notice.sessionId));
  const runs = new RunService({
    storage,
    log,
    cluster,
    engines,
    executor,
    maxQueued: values.maxQueuedRuns,
    onCancelled: (at) => {
      metrics.runEnded('cancelled');
      sessions.runEnded(at);
    },
  });
  const now = () => clock.now();
  const requests = new RequestService({ storage, log, now, onResolved: (key) => executor.notice(key) });
  const requestExpiry = new RequestExpiry({ storage, requests, now, report });
  opened.defer(() => requestExpiry.stop());
  const recover: Runs['recover'] = (onQueued) =>
    recoverRuns({
      storage,
      log,
      engines,
      logger,
      onQueued,
      onEnded: (at) => {
        metrics.runEnded('failed');
        sessions.runEnded(at);
      },
    });
  return { executor, runs, requests, requestExpiry, recover };
}
