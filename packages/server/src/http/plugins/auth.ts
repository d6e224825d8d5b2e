import { ApiError } from '@llmgine/protocol';
import type { APIConfig } from '../../config.ts';
import type { Authenticator } from '../../security/authenticate.ts';
import { basicPassword } from '../../security/basic.ts';
import type { Principal } from '../../security/principal.ts';
import { HttpProblem } from '../problem.ts';
import type { HttpApp } from '../types.ts';

/** Two lines: browsers do not look for a scheme that they know behind the first of a line. */
const BROWSER_CHALLENGES = ['Bearer', 'Basic realm="LLMgine API", charset="UTF-8"'];

/**
 * Deny by default: only routes marked `public` answer without a credential, and what is no route is none of them. Those
 * marked `browsable` also take the key as the password of HTTP Basic, which a browser can ask for. Nothing else does:
 * a browser sends such credentials by itself, also for pages of others.
 */
export function registerAuth(app: HttpApp, authenticator: Authenticator, config: APIConfig): void {
  const hasKey = config.values.key !== undefined;
  app.decorateRequest('principal', null as unknown as Principal);
  app.addHook('onRequest', async (request) => {
    const { public: open, browsable } = request.routeOptions.config;
    if (open === true) return;
    if (browsable !== true || !hasKey) {
      request.principal = await authenticator.authenticate(request.raw);
      return;
    }
    try {
      request.principal = await authenticator.authenticate(request.raw, basicPassword(request.raw.headers));
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'UNAUTHENTICATED') throw error;
      throw new HttpProblem(error.code, error.message, {
        headers: { 'www-authenticate': BROWSER_CHALLENGES },
      });
    }
  });
}
