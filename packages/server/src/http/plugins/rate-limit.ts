import type { Limits } from '../../security/limits/limits.ts';
import { rateLimitHeaders } from '../../security/limits/rate-limited.ts';
import type { HttpApp } from '../types.ts';

/**
 * Requests of known callers have a rate, and what is left of it is in every answer. Who asks for one session after the
 * other that is not there is answered ever later. Register behind the authentication.
 */
export function registerRateLimit(app: HttpApp, limits: Limits): void {
  app.addHook('onRequest', async ({ raw, principal }, reply) => {
    // Public routes have none.
    if (!principal) return;
    const quota = limits.countRequest(raw, principal);
    if (quota) reply.headers(rateLimitHeaders(quota));
  });
  // Not asynchronous: every other answer goes on at once.
  app.addHook('onSend', (request, reply, _payload, done) => {
    const { session_id: sessionId } = (request.params ?? {}) as { session_id?: unknown };
    if (reply.statusCode !== 404 || !request.principal || typeof sessionId !== 'string') done();
    else limits.sessionMissed(request.raw, request.principal, sessionId).then(() => done(), done);
  });
}
