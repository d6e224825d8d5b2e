import { METHODS } from 'node:http';
import type { CloseCode, ErrorCode, RunOutcome, Usage } from '@llmgine/protocol';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { registerProcessMetrics } from './process-metrics.ts';

/** What is read when somebody scrapes, instead of being counted as it happens. */
export interface MetricSources {
  counts(): Promise<{ readonly sessions: number; readonly engines: number }>;
  activeRuns(): number;
  queuedRuns(): Promise<number>;
  /** By status, and how often one was tried again. */
  mcpServers(): { readonly byStatus: Readonly<Record<string, number>>; readonly restarts: number };
}

export interface HttpRequestSample {
  /** The pattern of the route, never the path; `undefined` when no route matched. */
  readonly route: string | undefined;
  readonly method: string;
  readonly status: number;
  /** Left out for streams: how long one stays open says nothing about the server. */
  readonly seconds?: number;
}

const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);
const HTTP_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const RUN_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const BATCH_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000];

/**
 * The metrics of one application, in a registry of its own: two applications can live in one process. No label takes a
 * value that a caller chooses.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #stop: () => void;
  #sources: MetricSources | null = null;

  readonly #sockets: Gauge;
  readonly #socketCloses: Counter<'code'>;
  readonly #streams: Gauge;
  readonly #runs: Counter<'status'>;
  readonly #runSeconds: Histogram<'status'>;
  readonly #events: Counter;
  readonly #flushes: Histogram;
  readonly #tokens: Counter<'direction'>;
  readonly #cost: Counter;
  readonly #errors: Counter<'code'>;
  readonly #requests: Counter<'route' | 'method' | 'status'>;
  readonly #requestSeconds: Histogram<'route' | 'method' | 'status'>;

  constructor() {
    const registers = [this.#registry];
    this.#stop = registerProcessMetrics(this.#registry);
    this.#registerSources();

    this.#sockets = new Gauge({ name: 'llmgine_websockets', help: 'Open WebSocket connections', registers });
    this.#socketCloses = new Counter({
      name: 'llmgine_websocket_closes_total',
      help: 'Closed WebSocket connections by close code',
      labelNames: ['code'],
      registers,
    });
    this.#streams = new Gauge({
      name: 'llmgine_event_streams',
      help: 'Open server-sent event streams',
      registers,
    });
    this.#runs = new Counter({
      name: 'llmgine_runs_total',
      help: 'Ended runs by status, without those that were deleted with their session',
      labelNames: ['status'],
      registers,
    });
    this.#runSeconds = new Histogram({
      name: 'llmgine_run_duration_seconds',
      help: 'Time from the start to the end of a run',
      labelNames: ['status'],
      buckets: RUN_BUCKETS,
      registers,
    });
    this.#events = new Counter({
      name: 'llmgine_events_appended_total',
      help: 'Events committed to the logs of sessions',
      registers,
    });
    this.#flushes = new Histogram({
      name: 'llmgine_log_flush_appends',
      help: 'Appends in one commit of the log',
      buckets: BATCH_BUCKETS,
      registers,
    });
    this.#tokens = new Counter({
      name: 'llmgine_tokens_total',
      help: 'Tokens used, as the providers counted them',
      labelNames: ['direction'],
      registers,
    });
    this.#cost = new Counter({
      name: 'llmgine_cost_total',
      help: 'What models have cost, by the price table',
      registers,
    });
    this.#errors = new Counter({
      name: 'llmgine_errors_total',
      help: 'Errors answered to clients, by code',
      labelNames: ['code'],
      registers,
    });
    this.#requests = new Counter({
      name: 'llmgine_http_requests_total',
      help: 'Answered HTTP requests',
      labelNames: ['route', 'method', 'status'],
      registers,
    });
    this.#requestSeconds = new Histogram({
      name: 'llmgine_http_request_duration_seconds',
      help: 'Time to answer an HTTP request, streams left out',
      labelNames: ['route', 'method', 'status'],
      buckets: HTTP_BUCKETS,
      registers,
    });
  }

  #registerSources(): void {
    const registers = [this.#registry];
    const sources = (): MetricSources | null => this.#sources;
    new Gauge({
      name: 'llmgine_sessions',
      help: 'Sessions that have not expired',
      registers,
      async collect() {
        // A storage that fails must not hide the other metrics: they are what explains it.
        const counts = await sources()
          ?.counts()
          .catch(() => null);
        this.set(counts?.sessions ?? Number.NaN);
      },
    });
    new Gauge({
      name: 'llmgine_active_runs',
      help: 'Runs that execute now',
      registers,
      collect() {
        this.set(sources()?.activeRuns() ?? 0);
      },
    });
    new Gauge({
      name: 'llmgine_queued_runs',
      help: 'Runs that wait for their turn',
      registers,
      async collect() {
        const queued = await sources()
          ?.queuedRuns()
          .catch(() => null);
        this.set(queued ?? Number.NaN);
      },
    });
    new Gauge({
      name: 'llmgine_mcp_servers',
      help: 'MCP servers by status',
      labelNames: ['status'],
      registers,
      collect() {
        this.reset();
        for (const [status, count] of Object.entries(sources()?.mcpServers().byStatus ?? {})) {
          this.set({ status }, count);
        }
      },
    });
    new Counter({
      name: 'llmgine_mcp_restarts_total',
      help: 'Attempts to reach MCP servers again',
      registers,
      collect() {
        this.reset();
        this.inc(sources()?.mcpServers().restarts ?? 0);
      },
    });
  }

  /** Says where gauges that are read at scrape time come from. */
  connect(sources: MetricSources): void {
    this.#sources = sources;
  }

  socketOpened(): void {
    this.#sockets.inc();
  }

  /** `code` is the one the server closed with, or `undefined` when the client or the network did. */
  socketClosed(code?: CloseCode): void {
    this.#sockets.dec();
    this.#socketCloses.inc({ code: code === undefined ? 'peer' : String(code) });
  }

  streamOpened(): void {
    this.#streams.inc();
  }

  streamClosed(): void {
    this.#streams.dec();
  }

  /** `seconds` is left out for a run that never started. */
  runEnded(status: RunOutcome, seconds?: number): void {
    this.#runs.inc({ status });
    if (seconds !== undefined) this.#runSeconds.observe({ status }, seconds);
  }

  /** One commit of the log. */
  committed(appends: number, events: number): void {
    this.#flushes.observe(appends);
    this.#events.inc(events);
  }

  tokens(usage: Usage): void {
    this.#tokens.inc({ direction: 'input' }, usage.input_tokens);
    this.#tokens.inc({ direction: 'output' }, usage.output_tokens);
    if (usage.cost !== undefined) this.#cost.inc(usage.cost);
  }

  error(code: ErrorCode): void {
    this.#errors.inc({ code });
  }

  httpRequest(sample: HttpRequestSample): void {
    const labels = {
      route: sample.route ?? 'none',
      method: KNOWN_METHODS.has(sample.method) ? sample.method : 'other',
      status: String(sample.status),
    };
    this.#requests.inc(labels);
    if (sample.seconds !== undefined) this.#requestSeconds.observe(labels, sample.seconds);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Prometheus text. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Ends the measuring of the process. */
  close(): void {
    this.#stop();
  }
}

export function createMetrics(): Metrics {
  return new Metrics();
}
