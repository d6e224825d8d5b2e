import { z } from 'zod';
import type { Principal } from '../../security/principal.ts';
import type { Services } from '../../services.ts';
import type { SessionRow } from '../../storage/types.ts';

// Texts, although they are UUIDs: an id of another form names nothing, which is 404 and not a failed validation.
export const sessionParams = z.object({
  session_id: z.string().meta({ description: 'Session id, a UUID', format: 'uuid' }),
});
export const runParams = sessionParams.extend({
  run_id: z.string().meta({ description: 'Run id, a UUID', format: 'uuid' }),
});

interface SessionRequest {
  readonly principal: Principal;
  readonly params: { readonly session_id: string };
}

/** UUIDs are the same in either case. */
export function sessionIdOf(request: SessionRequest): string {
  return request.params.session_id.toLowerCase();
}

/** The session that a request names. Throws `SESSION_NOT_FOUND`. */
export function loadSession(services: Services, request: SessionRequest): Promise<SessionRow> {
  return services.sessions.get(request.principal, sessionIdOf(request));
}

/** The same for requests that use the session and so keep it alive. */
export async function useSession(services: Services, request: SessionRequest): Promise<SessionRow> {
  const session = await loadSession(services, request);
  services.sessions.touch(session);
  return session;
}
