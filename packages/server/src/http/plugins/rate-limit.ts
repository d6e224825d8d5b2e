import type { Limits } from '../../security/limits/limits.ts';
import { rateLimitHeaders } from '../../security/limits/rate-limited.ts';
import { toApiError } from '../problem.ts';
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
  // What is not there in a session of the caller's own is no sign that it looks for others.
  app.addHook('onError', async ({ raw, params, principal }, _reply, error) => {
    const { session_id: sessionId } = (params ?? {}) as { session_id?: unknown };
    if (!principal || typeof sessionId !== 'string' || toApiError(error).code !== 'SESSION_NOT_FOUND') return;
    await limits.sessionMissed(raw, principal, sessionId);
  });
}
