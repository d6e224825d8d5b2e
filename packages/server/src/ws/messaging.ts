import { ApiError, MESSAGE_TYPE, SERVER_FRAMES } from '@llmgine/protocol';
import type { OutgoingFrame } from '../handlers/types.ts';
import type { Connection } from './connection.ts';
import type { Gateway } from './gateway.ts';

export interface Notification {
  readonly notification_type: string;
  /** For people. */
  readonly message: string;
  readonly [field: string]: unknown;
}

/** A connection as the messaging API shows it. */
export interface ConnectionInfo {
  readonly connection_id: string;
  readonly session_id: string;
  readonly principal_id: string;
  readonly tenant_id: string;
  readonly remote_address: string;
  readonly connected_at: string;
  /** False for a client that never said `hello`, `subscribe` or `command`: nothing unasked is sent to it. */
  readonly accepts_server_frames: boolean;
}

/**
 * For back ends: sends frames that no client asked for. They reach the connections that accept them, carry
 * `"server_initiated": true`, and are not kept; what must not be lost is an event (`publishEvent` of the log).
 */
export class Messaging {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Returns how many connections it was written to. */
  sendToSession(sessionId: string, notification: Notification): number {
    return this.#send(this.#gateway.connections(sessionId), { type: 'notification', data: notification });
  }

  /** Returns how many connections it was written to. */
  broadcast(notification: Notification): number {
    return this.#send(this.#gateway.connections(), { type: 'notification', data: notification });
  }

  /** Sends a frame of a custom type to a session. Throws `VALIDATION_ERROR` for a type of the server itself. */
  sendFrame(sessionId: string, frame: OutgoingFrame): number {
    if (!MESSAGE_TYPE.test(frame.type) || Object.hasOwn(SERVER_FRAMES, frame.type)) {
      throw new ApiError('VALIDATION_ERROR', `"${frame.type}" is not a custom message type`);
    }
    return this.#send(this.#gateway.connections(sessionId), frame);
  }

  connections(sessionId?: string): ConnectionInfo[] {
    return this.#gateway.connections(sessionId).map((connection) => ({
      connection_id: connection.id,
      session_id: connection.sessionId,
      principal_id: connection.principal.id,
      tenant_id: connection.principal.tenantId,
      remote_address: connection.remoteAddress,
      connected_at: connection.connectedAt.toISOString(),
      accepts_server_frames: connection.acceptsServerFrames,
    }));
  }

  #send(connections: readonly Connection[], frame: OutgoingFrame): number {
    const text = JSON.stringify({ type: frame.type, server_initiated: true, data: frame.data });
    let sent = 0;
    for (const connection of connections) {
      if (!connection.acceptsServerFrames) continue;
      connection.write(text);
      sent++;
    }
    return sent;
  }
}
