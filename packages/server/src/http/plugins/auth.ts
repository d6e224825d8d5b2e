import type { Authenticator } from '../../security/authenticate.ts';
import type { Principal } from '../../security/principal.ts';
import type { HttpApp } from '../types.ts';

/** Deny by default: only routes marked `public` answer without a credential, and what is no route is none of them. */
export function registerAuth(app: HttpApp, authenticator: Authenticator): void {
  app.decorateRequest('principal', null as unknown as Principal);
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.public === true) return;
    request.principal = authenticator.authenticate(request.raw);
  });
}
