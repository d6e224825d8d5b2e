import { ApiError } from '@llmgine/protocol';
import type { RouteOptions } from 'fastify';
import type { APIConfig } from '../../config.ts';
import { authMode } from '../../security/auth-mode.ts';
import type { Authenticator } from '../../security/authenticate.ts';
import { basicPassword } from '../../security/basic.ts';
import { demand, isPermission, PERMISSIONS, type Permission } from '../../security/permissions.ts';
import type { Principal } from '../../security/principal.ts';
import { HttpProblem } from '../problem.ts';
import type { HttpApp } from '../types.ts';

/** Two lines: browsers do not look for a scheme that they know behind the first of a line. */
const BROWSER_CHALLENGES = ['Bearer', 'Basic realm="LLMgine API", charset="UTF-8"'];
/** What is below it is for admins, whatever else it forgets to say. */
const ADMIN = /^\/api\/admin(?:\/|$)/;

/**
 * Deny by default: only routes marked `public` answer without a credential, and what is no route is none of them. Every
 * other route names the permission that it asks for, or cannot be registered. Routes marked `browsable` also take the key
 * as the password of HTTP Basic, which a browser can ask for. Nothing else does: a browser sends such credentials by
 * itself, also for pages of others. Register before any route.
 */
export function registerAuth(app: HttpApp, authenticator: Authenticator, config: APIConfig): void {
  const takesBasic = config.values.key !== undefined || authMode(config.values) === 'required';
  app.decorateRequest('principal', null as unknown as Principal);
  app.decorate('defaultPermission', null);
  app.addHook('onRoute', function (route) {
    if (!isEveryOption(route)) assertRule(route, this.defaultPermission);
  });
  app.addHook('onRequest', async (request) => {
    const { public: open, browsable } = request.routeOptions.config;
    if (open === true) return;
    request.principal =
      browsable === true && takesBasic
        ? await authenticateBrowser(request.raw)
        : await authenticator.authenticate(request.raw);
  });

  const authenticateBrowser = async (raw: Parameters<Authenticator['authenticate']>[0]) => {
    try {
      return await authenticator.authenticate(raw, basicPassword(raw.headers));
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'UNAUTHENTICATED') throw error;
      throw new HttpProblem(error.code, error.message, {
        headers: { 'www-authenticate': BROWSER_CHALLENGES },
      });
    }
  };
}

/** A separate step, so that requests that are forbidden count like others. Register behind the limits. */
export function registerPermissions(app: HttpApp): void {
  app.addHook('onRequest', async ({ principal, routeOptions }) => {
    const { public: open, permission } = routeOptions.config;
    // What is no route asks for none: who is known may hear that it is not there.
    if (open !== true && permission !== undefined) demand(principal, permission);
  });
}

/** The route that CORS adds for preflights; otherwise it answers as what is not there. */
function isEveryOption({ method, url }: Pick<RouteOptions, 'method'> & { readonly url: string }): boolean {
  return method === 'OPTIONS' && url === '*';
}

/** Throws a `TypeError` for a route that neither is public nor has a permission. */
function assertRule(route: RouteOptions & { readonly path: string }, fallback: Permission | null): void {
  const { public: open, permission } = route.config ?? {};
  const what = `The route ${String(route.method)} ${route.url}`;
  if (open === true) {
    if (permission !== undefined) throw new TypeError(`${what} is public, so it has no permission`);
    return;
  }
  const needed = permission ?? (ADMIN.test(route.url) ? 'admin' : fallback);
  if (!isPermission(needed)) {
    throw new TypeError(
      `${what} needs "config" with a "permission", one of ${PERMISSIONS.join(', ')}, or with "public: true"`,
    );
  }
  route.config = { ...route.config, permission: needed };
}
