/** What a request for an upgrade says, and what is wrong with it before anybody looks anything up. */
import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import {
  ApiError,
  BEARER_SUBPROTOCOL_PREFIX,
  type ErrorCode,
  TICKET_SUBPROTOCOL_PREFIX,
} from '@llmgine/protocol';
import type { Permission } from '../security/permissions.ts';

const PATH = /^\/api\/sessions\/([^/?#]+)\/ws\/?$/;
const VERSION = '13';

/** What whoever connects has to be allowed, and stay so; frames ask for more. */
export const SOCKET_PERMISSION: Permission = 'sessions:read';

/** A request that is no handshake. Its answer says more than its code does. */
export class BadHandshake extends ApiError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, status: number, headers: Record<string, string> = {}) {
    super(code, message);
    this.name = 'BadHandshake';
    this.status = status;
    this.headers = headers;
  }
}

/** The session that the address names, in whatever form. Throws `NOT_FOUND` when it is no address of a socket. */
export function addressedSession(request: IncomingMessage): string {
  const url = URL.parse(request.url ?? '', 'http://localhost');
  const sessionId = url && PATH.exec(url.pathname)?.[1];
  if (!sessionId) throw new ApiError('NOT_FOUND');
  return sessionId;
}

/** The same, in one form, for requests of all kinds: null when it is not a WebSocket that they ask for. */
export function requestedSession(request: IncomingMessage): string | null {
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') return null;
  try {
    return addressedSession(request).toLowerCase();
  } catch {
    return null;
  }
}

/** A token that comes in a frame, as a request: that is what credentials are read from. */
export function tokenRequest(socket: Socket, token: string, remoteAddress: string): IncomingMessage {
  const request = new IncomingMessage(socket);
  request.headers.authorization = `Bearer ${token}`;
  // Counts where the peer is a proxy that is trusted, as it did in the handshake.
  request.headers['x-forwarded-for'] = remoteAddress;
  return request;
}

/** Throws what has an answer of its own; the rest is for the library. */
export function checkHandshake(request: IncomingMessage): void {
  if (request.method !== 'GET') {
    throw new BadHandshake('METHOD_NOT_ALLOWED', 'A handshake is a GET request', 405, { allow: 'GET' });
  }
  if (request.headers['sec-websocket-version'] !== VERSION) {
    throw new BadHandshake('VALIDATION_ERROR', `This server speaks version ${VERSION} of WebSocket`, 426, {
      'sec-websocket-version': VERSION,
      upgrade: 'websocket',
    });
  }
}

/** Whether nothing but a ticket says who it is. */
export function offersTicket(request: IncomingMessage): boolean {
  const { authorization, 'x-api-key': apiKey } = request.headers;
  if (authorization !== undefined || apiKey !== undefined) return false;
  return offeredCredential(request)?.startsWith(TICKET_SUBPROTOCOL_PREFIX) === true;
}

/**
 * A browser cannot set headers: it offers its credential as a subprotocol, which is never echoed. A ticket keeps its
 * prefix, so that it is nothing else; of a token, characters that cannot stand there are percent-encoded.
 */
export function offeredCredential(request: IncomingMessage): string | undefined {
  const names = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
  const ticket = names.find((name) => name.startsWith(TICKET_SUBPROTOCOL_PREFIX));
  if (ticket !== undefined) return ticket;
  const offered = names
    .find((name) => name.startsWith(BEARER_SUBPROTOCOL_PREFIX))
    ?.slice(BEARER_SUBPROTOCOL_PREFIX.length);
  if (offered === undefined) return undefined;
  try {
    return decodeURIComponent(offered);
  } catch {
    return offered;
  }
}
