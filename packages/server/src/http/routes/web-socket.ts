import { HttpProblem } from '../problem.ts';
import type { HttpApp } from '../types.ts';
import { sessionParams } from './session-params.ts';

/**
 * Where WebSockets connect. Handshakes come here only when they are too early; otherwise, this is for whoever opens the
 * address in another way.
 */
export function registerWebSocket(app: HttpApp): void {
  app.get(
    '/api/sessions/:session_id/ws',
    { config: { permission: 'sessions:read' }, schema: { hide: true, params: sessionParams } },
    async ({ headers }) => {
      if (headers.upgrade?.toLowerCase() === 'websocket') {
        throw new HttpProblem(
          'VALIDATION_ERROR',
          'A handshake has to wait for the answers to the requests before it on its connection',
          // What follows are the frames of a client that does not wait.
          { status: 400, headers: { connection: 'close' } },
        );
      }
      throw new HttpProblem(
        'VALIDATION_ERROR',
        'This is the address of a WebSocket: connect to it with ws:// or wss://; /docs says what to send',
        { status: 426, headers: { upgrade: 'websocket', connection: 'upgrade' } },
      );
    },
  );
}
