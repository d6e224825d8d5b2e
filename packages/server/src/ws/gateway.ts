/** Where sockets enter: who may connect, to which session, and what happens to all of them together. */
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ApiError, CLOSE_CODES, type JsonObject } from '@llmgine/protocol';
import type { WebSocket, WebSocketServer } from 'ws';
import type { APIConfig } from '../config.ts';
import { refusalEvent } from '../security/audit/refusal.ts';
import { isAllowedOrigin, isOwnOrigin } from '../security/origin.ts';
import { demand } from '../security/permissions.ts';
import type { Principal } from '../security/principal.ts';
import type { Services } from '../services.ts';
import { keyOf } from '../sessions/service.ts';
import type { SessionKey } from '../storage/types.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import {
  addressedSession,
  BadHandshake,
  checkHandshake,
  offeredCredential,
  offersTicket,
  SOCKET_PERMISSION,
} from './handshake.ts';
import { MessageRates } from './message-rate.ts';
import { createSocketServer } from './socket-server.ts';
import { Watch } from './watch.ts';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Clients of a server that drains come back within this time, so that they do not all come at once. */
const RECONNECT_SPREAD_MS = 2000;

/**
 * Answers a request for an upgrade with a problem instead, and closes. `answer` wins over what the code says. Returns the
 * id that the answer gives the request.
 */
export type RefuseUpgrade = (
  request: IncomingMessage,
  socket: Duplex,
  error: ApiError,
  answer?: { readonly status: number; readonly headers: Readonly<Record<string, string>> },
) => string;

/** What they throw is logged and disturbs nobody. */
export interface ConnectionCallbacks {
  onConnect?(connection: Connection): void;
  onDisconnect?(connection: Connection): void;
}

/** An upgrade on its way, whose session may go meanwhile. */
interface Arrival {
  readonly sessionId: string;
  late: boolean;
}

/** An upgrade that goes through. */
interface Arrived {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly principal: Principal;
  readonly key: SessionKey;
  readonly found: boolean;
  readonly leave: () => void;
}

export class Gateway implements ConnectionOwner {
  readonly services: Services;
  readonly #refuse: RefuseUpgrade;
  readonly #wss: WebSocketServer;
  readonly #rates: MessageRates;
  readonly #watch: Watch;
  readonly #arrivals = new Set<Arrival>();
  readonly #connections = new Map<string, Set<Connection>>();
  /** Connections to sessions that are not there: they are open until their close is through. */
  readonly #strays = new Set<Connection>();
  readonly #callbacks: ConnectionCallbacks[] = [];
  readonly #leaveCluster: () => void;
  /** What takes a connection off the limits again. */
  readonly #leaving = new Map<Connection, () => void>();
  #count = 0;
  #allClosed: (() => void)[] = [];

  constructor(services: Services, refuse: RefuseUpgrade) {
    this.services = services;
    this.#refuse = refuse;
    this.#wss = createSocketServer(services.config.values);
    this.#wss.on('wsClientError', (error: Error, socket: Duplex, request: IncomingMessage) => {
      this.#refused(request, socket, new BadHandshake('VALIDATION_ERROR', error.message, 400));
    });
    this.#rates = new MessageRates(services.config.values);
    this.#watch = new Watch(services.config.values);
    this.#leaveCluster = services.cluster.onNotice(({ sessionId }) => this.#sessionClosed(sessionId));
  }

  attach(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, _socket: Duplex, head: Buffer) => {
      const { socket } = request;
      // Until the upgrade is through, nobody else listens.
      const ignore = () => socket.destroy();
      socket.on('error', ignore);
      this.#upgrade(request, socket, head)
        .catch((error: unknown) => this.#refused(request, socket, error))
        .finally(() => socket.off('error', ignore));
    });
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
          cursor: connection.cursor,
          reconnect_after_ms: Math.round(Math.random() * RECONNECT_SPREAD_MS),
        };
        connection.write(JSON.stringify({ type: 'going_away', server_initiated: true, data }));
      }
      connection.close(CLOSE_CODES.DRAINING, reason);
    }
    if (this.#count > 0) await new Promise<void>((resolve) => this.#allClosed.push(resolve));
  }

  /** Ends what is left at once. */
  close(): void {
    for (const connection of [...this.connections(), ...this.#strays]) connection.terminate();
    this.#watch.clear();
    this.#rates.close();
    this.#leaveCluster();
    this.#wss.close();
  }

  blocked(connection: Connection): void {
    this.#watch.blocked(connection);
  }

  unblocked(connection: Connection): void {
    this.#watch.unblocked(connection);
  }

  closed(connection: Connection): void {
    this.#count--;
    this.#watch.delete(connection);
    this.#rates.leave(connection.principal);
    this.services.live.delete(connection);
    this.#leaving.get(connection)?.();
    this.#leaving.delete(connection);
    if (!this.#strays.delete(connection)) {
      this.#leave(connection);
      this.#tell((callbacks) => callbacks.onDisconnect?.(connection));
    }
    if (this.#count === 0) for (const resolve of this.#allClosed.splice(0)) resolve();
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const { config, authenticate, limits, lifecycle } = this.services;
    const sessionId = addressedSession(request);
    if (foreignOrigin(request, config) !== undefined) {
      throw new ApiError('FORBIDDEN', 'This origin may not connect');
    }
    const principal = await authenticate.authenticate(request, offeredCredential(request));
    demand(principal, SOCKET_PERMISSION);
    checkHandshake(request);
    // Counted before anything is looked up, so that of two at once only one gets the last place.
    const leave = limits.openConnection(request, principal);
    let isOpen = false;
    try {
      const key = keyOf(principal, sessionId.toLowerCase());
      const found = UUID.test(sessionId) && (await this.#find(key));
      if (!found) await limits.sessionMissed(request, principal, sessionId);
      if (lifecycle.draining) throw new ApiError('UNAVAILABLE', 'The server is stopping', { retryAfter: 5 });
      this.#wss.handleUpgrade(request, socket, head, (ws) => {
        isOpen = true;
        this.#open(ws, { request, socket, principal, key, found, leave });
      });
    } finally {
      if (!isOpen) leave();
    }
  }

  /** Whether the session is there, and was not closed while that was looked up. */
  async #find(key: SessionKey): Promise<boolean> {
    const arrival: Arrival = { sessionId: key.sessionId, late: false };
    this.#arrivals.add(arrival);
    try {
      return (await this.services.sessions.find(key)) !== null && !arrival.late;
    } finally {
      this.#arrivals.delete(arrival);
    }
  }

  #open(ws: WebSocket, { request, found, leave, ...arrived }: Arrived): void {
    const { limits, live, logger, metrics } = this.services;
    const rate = this.#rates.join(arrived.principal);
    const remoteAddress = limits.clientAddress(request);
    const connection = new Connection({ ws, ...arrived, remoteAddress, rate, owner: this });
    this.#leaving.set(connection, leave);
    this.#count++;
    this.#watch.add(connection);
    metrics.socketOpened();
    if (logger.isLevelEnabled('debug')) {
      connection.logger.debug({ remote_address: connection.remoteAddress }, 'connection opened');
    }
    if (found) {
      this.#join(connection);
      live.add(connection);
      this.#tell((callbacks) => callbacks.onConnect?.(connection));
    } else {
      this.#strays.add(connection);
      connection.closeWith(new ApiError('SESSION_NOT_FOUND'));
    }
  }

  #join(connection: Connection): void {
    const ofSession = this.#connections.get(connection.sessionId);
    if (ofSession) ofSession.add(connection);
    else this.#connections.set(connection.sessionId, new Set([connection]));
  }

  #leave(connection: Connection): void {
    const ofSession = this.#connections.get(connection.sessionId);
    ofSession?.delete(connection);
    if (ofSession?.size === 0) this.#connections.delete(connection.sessionId);
  }

  #sessionClosed(sessionId: string): void {
    for (const arrival of this.#arrivals) if (arrival.sessionId === sessionId) arrival.late = true;
    const gone = new ApiError('SESSION_NOT_FOUND');
    for (const connection of this.connections(sessionId)) {
      // Who knows only the original protocol is sent nothing unasked: the close code says it.
      if (connection.acceptsServerFrames) connection.closeWith(gone);
      else connection.close(CLOSE_CODES.SESSION_NOT_FOUND, gone.message);
    }
  }

  #refused(request: IncomingMessage, socket: Duplex, error: unknown): void {
    const { logger, metrics } = this.services;
    const known = error instanceof ApiError;
    if (!known) logger.error({ err: error }, 'upgrade failed');
    const apiError = known ? error : new ApiError('INTERNAL_ERROR');
    metrics.error(apiError.code);
    if (socket.destroyed) {
      this.#audit(request, apiError, null);
      return;
    }
    const answer = apiError instanceof BadHandshake ? apiError : undefined;
    const requestId = this.#refuse(request, socket, apiError, answer);
    this.#audit(request, apiError, requestId);
    const line = {
      request_id: requestId,
      // The path alone: a query may hold what is secret.
      path: request.url?.split('?', 1)[0],
      peer: request.socket.remoteAddress,
      client: this.services.limits.clientAddress(request),
      status: answer?.status ?? apiError.definition.status,
      code: apiError.code,
      detail: apiError.message,
    };
    logger.info(line, 'upgrade refused');
  }

  #audit(request: IncomingMessage, error: ApiError, requestId: string | null): void {
    const { audit, config, limits } = this.services;
    const origin = foreignOrigin(request, config);
    const event = refusalEvent(error, {
      source: { address: limits.clientAddress(request) || null, transport: 'websocket', requestId },
      principal: null,
      operation: `GET ${request.url?.split('?', 1)[0]}`,
      ticket: offersTicket(request),
      ...(origin === undefined ? {} : { foreignOrigin: origin }),
    });
    if (event) audit.record(event);
  }

  #tell(call: (callbacks: ConnectionCallbacks) => void): void {
    for (const callbacks of this.#callbacks) {
      try {
        call(callbacks);
      } catch (error) {
        this.services.logger.error({ err: error }, 'connection callback failed');
      }
    }
  }
}

/** The origin of a page that may not connect. */
function foreignOrigin(
  { headers: { origin, host } }: IncomingMessage,
  config: APIConfig,
): string | undefined {
  if (origin === undefined || isAllowedOrigin(origin, config) || isOwnOrigin(origin, host)) return undefined;
  return origin;
}
