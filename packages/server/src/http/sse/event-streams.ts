import type { ServerResponse } from 'node:http';
import { ApiError } from '@llmgine/protocol';
import type { FastifyReply } from 'fastify';
import { may } from '../../security/permissions.ts';
import type { Principal } from '../../security/principal.ts';
import type { Services } from '../../services.ts';
import type { EventSink } from '../../sessions/subscription.ts';
import type { SessionKey } from '../../storage/types.ts';
import { EventStream } from './event-stream.ts';

const HEARTBEAT_MS = 15_000;
/** Clients that were sent away come back spread over this time. */
const RECONNECT_MS = { min: 500, max: 2500 };

export interface OpenOptions {
  readonly after: string | undefined;
  /** What is made of the stream and its events, where it is not simply all of them. */
  readonly sink?: (stream: EventStream) => Pick<EventSink, 'write'>;
}

/** The open event streams of one application: one heartbeat timer for all of them. */
export class EventStreams {
  readonly #services: Services;
  readonly #stallMs: number;
  readonly #leaveCluster: () => void;
  readonly #streams = new Map<string, Set<EventStream>>();
  readonly #reserved = new WeakSet<ServerResponse>();
  #heartbeat: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(services: Services) {
    this.#services = services;
    this.#stallMs = services.config.values.websocketStallTimeout * 1000;
    this.#leaveCluster = services.cluster.onNotice(({ sessionId }) => this.#closeSession(sessionId));
  }

  /**
   * Counts the answer as a connection of its caller until it is closed, once: before anything is done for which there has
   * to be a stream. Throws `RESOURCE_LIMIT_EXCEEDED`.
   */
  reserve({ request, raw }: FastifyReply): void {
    if (this.#reserved.has(raw)) return;
    const leave = this.#services.limits.openConnection(request.raw, request.principal);
    this.#reserved.add(raw);
    if (raw.destroyed) leave();
    else raw.once('close', leave);
  }

  /**
   * Answers with the events of a session after a cursor, or from now on. Throws, with nothing sent yet, `INVALID_CURSOR`,
   * `SESSION_NOT_FOUND`, `RESOURCE_LIMIT_EXCEEDED` when the caller has too many connections, and `UNAVAILABLE` when the
   * server drains.
   */
  async open(reply: FastifyReply, key: SessionKey, options: OpenOptions): Promise<EventStream> {
    // Before the log is read, so that of two at once only one gets the last place.
    this.reserve(reply);
    let target: Pick<EventSink, 'write'> | null = null;
    let stream: EventStream | null = null;
    const sink: EventSink = {
      write: (event) => target?.write(event) ?? false,
      cork: () => stream?.cork(),
      uncork: () => stream?.uncork(),
      failed: (error) => {
        // The client resumes, and is told to resync where it was too slow.
        if (error !== undefined)
          this.#services.logger.warn({ err: error }, 'an event stream cannot read the log');
        stream?.end();
      },
    };
    const { subscription, cursor, resyncRequired } = await this.#services.log.subscribe(key, {
      after: options.after,
      sink,
    });
    // Both may have happened while the log was read; a response that is closed already never says so again.
    if (this.#closed || reply.raw.destroyed) {
      subscription.close();
      throw new ApiError('UNAVAILABLE', 'The server is stopping', { retryAfter: 1 });
    }
    stream = new EventStream(reply, key.sessionId, cursor, this.#stallMs);
    target = options.sink?.(stream) ?? stream;
    this.#add(stream);
    this.#endWithCredential(stream, reply);
    if (resyncRequired) stream.send('resync_required', { cursor, resync_required: true });
    stream.start(subscription);
    return stream;
  }

  /** Sends all clients away. Idempotent; no stream opens afterwards. */
  close(reason: string): void {
    this.#closed = true;
    this.#leaveCluster();
    this.sendAway(reason);
  }

  /** Sends the clients of all open streams away; new ones may open. */
  sendAway(reason: string): void {
    for (const streams of this.#streams.values()) {
      for (const stream of streams) {
        const { min, max } = RECONNECT_MS;
        stream.goAway(reason, Math.round(min + Math.random() * (max - min)));
      }
    }
  }

  #add(stream: EventStream): void {
    const { sessionId } = stream;
    const streams = this.#streams.get(sessionId) ?? new Set();
    this.#streams.set(sessionId, streams.add(stream));
    this.#services.metrics.streamOpened();
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS).unref();
    stream.onClose(() => {
      streams.delete(stream);
      if (streams.size === 0 && this.#streams.get(sessionId) === streams) this.#streams.delete(sessionId);
      this.#services.metrics.streamClosed();
      if (this.#streams.size === 0 && this.#heartbeat) {
        clearInterval(this.#heartbeat);
        this.#heartbeat = null;
      }
    });
  }

  /** A stream lasts as long as the caller may open it. */
  #endWithCredential(stream: EventStream, { request }: FastifyReply): void {
    const { live } = this.#services;
    const { permission } = request.routeOptions.config;
    const use = {
      principal: request.principal,
      changed(principal: Principal) {
        use.principal = principal;
        if (permission !== undefined && !may(principal, permission)) stream.cut(new ApiError('FORBIDDEN'));
      },
      ended: (why: 'expired' | 'revoked') =>
        stream.cut(new ApiError('UNAUTHENTICATED', `The credential is ${why}`)),
    };
    live.add(use);
    stream.onClose(() => live.delete(use));
  }

  #beat(): void {
    for (const streams of this.#streams.values()) for (const stream of streams) stream.heartbeat();
  }

  #closeSession(sessionId: string): void {
    for (const stream of this.#streams.get(sessionId) ?? []) stream.end();
  }
}
