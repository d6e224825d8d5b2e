/** Where sockets enter: who may connect, to which session, and what happens to all of them together. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  ApiError,
  BEARER_SUBPROTOCOL_PREFIX,
  CLOSE_CODES,
  type JsonObject,
  SUBPROTOCOL,
} from '@llmgine/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { isAllowedOrigin } from '../security/origin.ts';
import type { Principal } from '../security/principal.ts';
import type { Services } from '../services.ts';
import { keyOf } from '../sessions/service.ts';
import { Connection } from './connection.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { TokenBucket } from './token-bucket.ts';

const PATH = /^\/api\/sessions\/([^/?#]+)\/ws\/?$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** A peer that says nothing after the close is destroyed. */
const CLOSE_TIMEOUT_MS = 5000;
/** After its last chance a silent peer gets this long to answer. */
const LAST_PONG_MS = 5000;
const MAX_MISSED_PONGS = 2;
/** Clients of a server that drains come back within this time, so that they do not all come at once. */
const RECONNECT_SPREAD_MS = 2000;

export type RefuseUpgrade = (request: IncomingMessage, socket: Duplex, error: ApiError) => void;

export interface ConnectionCallbacks {
  onConnect?(connection: Connection): void;
  onDisconnect?(connection: Connection): void;
}

interface PrincipalUse {
  readonly bucket: TokenBucket;
  connections: number;
}

export class Gateway {
  readonly #services: Services;
  readonly #refuse: RefuseUpgrade;
  readonly #wss: WebSocketServer;
  readonly #connections = new Map<string, Set<Connection>>();
  readonly #principals = new Map<string, PrincipalUse>();
  readonly #heartbeat: DeadlineQueue<Connection>;
  readonly #lastChance: DeadlineQueue<Connection>;
  readonly #stalled: DeadlineQueue<Connection>;
  readonly #blocked = new Set<Connection>();
  readonly #callbacks: ConnectionCallbacks[] = [];
  readonly #leaveCluster: () => void;
  #count = 0;
  #allClosed: (() => void)[] = [];

  /** `refuse` answers a request for an upgrade with a problem instead, and closes. */
  constructor(services: Services, refuse: RefuseUpgrade) {
    this.#services = services;
    this.#refuse = refuse;
    const { values } = services.config;
    this.#wss = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: values.websocketMaxMessageSize,
      maxFragments: values.websocketMaxFragments,
      // A flood of tiny chunks of one message must not hold more than the message itself.
      maxBufferedChunks: 4096,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    } as ConstructorParameters<typeof WebSocketServer>[0]);
    const beat = values.websocketHeartbeat * 1000;
    this.#heartbeat = new DeadlineQueue(beat, (connection) => this.#beat(connection));
    this.#lastChance = new DeadlineQueue(Math.min(LAST_PONG_MS, beat / 6), (connection) =>
      this.#lastBeat(connection),
    );
    this.#stalled = new DeadlineQueue(values.websocketStallTimeout * 1000, (connection) =>
      this.#stall(connection),
    );
    this.#leaveCluster = services.cluster.onNotice((notice) => {
      for (const connection of this.connections(notice.sessionId)) {
        connection.closeWith(new ApiError('SESSION_NOT_FOUND'));
      }
    });
  }

  attach(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Until the upgrade is through, nobody else listens.
      const ignore = () => socket.destroy();
      socket.on('error', ignore);
      this.#upgrade(request, socket, head)
        .catch((error: unknown) => this.#refused(request, socket, error))
        .finally(() => socket.off('error', ignore));
    });
  }

  #refused(request: IncomingMessage, socket: Duplex, error: unknown): void {
    const { logger, metrics } = this.#services;
    const known = error instanceof ApiError;
    if (!known) logger.error({ err: error }, 'upgrade failed');
    const apiError = known ? error : new ApiError('INTERNAL_ERROR');
    metrics.error(apiError.code);
    if (!socket.destroyed) this.#refuse(request, socket, apiError);
  }

  onEvent(callbacks: ConnectionCallbacks): void {
    this.#callbacks.push(callbacks);
  }

  /** The open connections of a session, or of all. */
  connections(sessionId?: string): Connection[] {
    if (sessionId !== undefined) return [...(this.#connections.get(sessionId) ?? [])];
    return [...this.#connections.values()].flatMap((connections) => [...connections]);
  }

  get count(): number {
    return this.#count;
  }

  /** Tells the clients to go elsewhere and resume, and closes their sockets; resolves when all are closed. */
  async drain(reason: string): Promise<void> {
    for (const connection of this.connections()) {
      if (connection.acceptsServerFrames) {
        const data: JsonObject = {
          reason,
          cursor: connection.events.cursor,
          reconnect_after_ms: Math.round(Math.random() * RECONNECT_SPREAD_MS),
        };
        connection.sendText(JSON.stringify({ type: 'going_away', server_initiated: true, data }));
      }
      connection.close(CLOSE_CODES.DRAINING, reason);
    }
    if (this.#count > 0) await new Promise<void>((resolve) => this.#allClosed.push(resolve));
  }

  /** Ends what is left at once. */
  close(): void {
    for (const connection of this.connections()) connection.terminate();
    this.#heartbeat.clear();
    this.#lastChance.clear();
    this.#stalled.clear();
    this.#leaveCluster();
    this.#wss.close();
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { config, authenticate, lifecycle, sessions } = this.#services;
    const sessionId = PATH.exec(new URL(request.url ?? '/', 'http://localhost').pathname)?.[1];
    if (sessionId === undefined) throw new ApiError('NOT_FOUND');
    const { origin } = request.headers;
    if (origin !== undefined && !isAllowedOrigin(origin, config)) {
      throw new ApiError('FORBIDDEN', 'This origin may not connect');
    }
    const principal = authenticate.authenticate(request, offeredCredential(request));
    if (lifecycle.draining) throw new ApiError('UNAVAILABLE', 'The server is stopping', { retryAfter: 5 });
    const key = keyOf(principal, sessionId.toLowerCase());
    const session = UUID.test(sessionId) ? await sessions.find(key) : null;
    if (socket.destroyed) return;
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      const connection = this.#open(ws, request, socket, principal, key);
      if (!session) connection.closeWith(new ApiError('SESSION_NOT_FOUND'));
    });
  }

  #open(
    ws: WebSocket,
    request: IncomingMessage,
    socket: Duplex,
    principal: Principal,
    key: Connection['key'],
  ): Connection {
    const use = this.#use(principal);
    const { websocketMessageRate: rate, websocketMessageBurst: burst } = this.#services.config.values;
    const connection = new Connection({
      ws,
      socket,
      principal,
      key,
      remoteAddress: request.socket.remoteAddress ?? '',
      services: this.#services,
      buckets: principal.local ? [] : [new TokenBucket(rate, burst), use.bucket],
      onBlocked: (blocked) => this.#block(blocked),
      onUnblocked: (unblocked) => this.#unblock(unblocked),
      onClosed: (closed) => this.#closed(closed),
    });
    use.connections++;
    this.#count++;
    const ofSession = this.#connections.get(key.sessionId);
    if (ofSession) ofSession.add(connection);
    else this.#connections.set(key.sessionId, new Set([connection]));
    this.#heartbeat.add(connection);
    this.#services.metrics.socketOpened();
    connection.logger.debug({ remote_address: connection.remoteAddress }, 'connection opened');
    this.#tell((callbacks) => callbacks.onConnect?.(connection));
    return connection;
  }

  #use(principal: Principal): PrincipalUse {
    const id = `${principal.tenantId}\n${principal.id}`;
    let use = this.#principals.get(id);
    if (!use) {
      const { websocketMessageRate: rate, websocketMessageBurst: burst } = this.#services.config.values;
      use = { bucket: new TokenBucket(rate, burst), connections: 0 };
      this.#principals.set(id, use);
    }
    return use;
  }

  #closed(connection: Connection): void {
    this.#heartbeat.delete(connection);
    this.#lastChance.delete(connection);
    this.#unblock(connection);
    const ofSession = this.#connections.get(connection.sessionId);
    ofSession?.delete(connection);
    if (ofSession?.size === 0) this.#connections.delete(connection.sessionId);
    const id = `${connection.principal.tenantId}\n${connection.principal.id}`;
    const use = this.#principals.get(id);
    if (use && --use.connections === 0) this.#principals.delete(id);
    this.#count--;
    this.#tell((callbacks) => callbacks.onDisconnect?.(connection));
    if (this.#count === 0) for (const resolve of this.#allClosed.splice(0)) resolve();
  }

  #beat(connection: Connection): void {
    const missed = connection.ping() + 1;
    if (missed >= MAX_MISSED_PONGS) this.#lastChance.add(connection);
    else this.#heartbeat.add(connection);
  }

  #lastBeat(connection: Connection): void {
    if (connection.missedPongs >= MAX_MISSED_PONGS) connection.terminate();
    else this.#heartbeat.add(connection);
  }

  #block(connection: Connection): void {
    if (this.#blocked.has(connection)) return;
    this.#blocked.add(connection);
    connection.madeProgress();
    this.#stalled.add(connection);
  }

  #unblock(connection: Connection): void {
    this.#blocked.delete(connection);
    this.#stalled.delete(connection);
  }

  #stall(connection: Connection): void {
    if (connection.madeProgress()) this.#stalled.add(connection);
    else connection.tooSlow();
  }

  #tell(call: (callbacks: ConnectionCallbacks) => void): void {
    for (const callbacks of this.#callbacks) {
      try {
        call(callbacks);
      } catch (error) {
        this.#services.logger.error({ err: error }, 'connection callback failed');
      }
    }
  }
}

/** A browser cannot set headers: it offers its credential as a subprotocol, which is never echoed. */
function offeredCredential(request: IncomingMessage): string | undefined {
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim());
  return offered
    ?.find((name) => name.startsWith(BEARER_SUBPROTOCOL_PREFIX))
    ?.slice(BEARER_SUBPROTOCOL_PREFIX.length);
}
