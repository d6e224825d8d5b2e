import { HttpProblem } from '../problem.ts';
import type { HttpApp } from '../types.ts';
import { sessionParams } from './session-params.ts';

/** Where WebSockets connect. Handshakes never come here: this is for whoever opens the address in another way. */
export function registerWebSocket(app: HttpApp): void {
  app.get('/api/sessions/:session_id/ws', { schema: { hide: true, params: sessionParams } }, async () => {
    throw new HttpProblem(
      'VALIDATION_ERROR',
      'This is the address of a WebSocket: connect to it with ws:// or wss://; /docs says what to send',
      { status: 426, headers: { upgrade: 'websocket', connection: 'upgrade' } },
    );
  });
}
