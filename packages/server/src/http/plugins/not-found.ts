import { METHODS } from 'node:http';
import { ApiError } from '@llmgine/protocol';
import findMyWay, { type HTTPMethod } from 'find-my-way';
import type { Permission } from '../../security/permissions.ts';
import { HttpProblem } from '../problem.ts';
import type { HttpApp } from '../types.ts';

export interface RouteEntry {
  readonly method: string;
  /** The pattern, for example `/api/sessions/:session_id`. */
  readonly url: string;
  /** What it asks of the caller; null for one that is public. */
  readonly permission: Permission | null;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route, in the order of registration. */
    readonly routeTable: readonly RouteEntry[];
  }
}

const noop = (): void => {};

/**
 * 404 and 405. Fastify answers both with 404, so the routes are collected in a second router that is asked which methods
 * an address answers. Register before any route.
 */
export function registerNotFound(app: HttpApp): void {
  const router = findMyWay({ ignoreTrailingSlash: true });
  const used = new Set<string>();
  const routes: RouteEntry[] = [];
  app.decorate('routeTable', routes);

  app.addHook('onRoute', ({ method, url, config }) => {
    for (const one of Array.isArray(method) ? method : [method]) {
      // The route that CORS adds answers OPTIONS everywhere; it says nothing about what is there.
      if (one === 'OPTIONS' && url === '*') continue;
      if (router.findRoute(one as HTTPMethod, url)) continue;
      used.add(one);
      router.on(one as HTTPMethod, url, noop);
      routes.push({ method: one, url, permission: config?.permission ?? null });
    }
  });

  const allowed = (url: string): string[] => {
    const path = url.split('?', 1)[0] ?? '/';
    return METHODS.filter((method) => used.has(method) && router.find(method as HTTPMethod, path) !== null);
  };
  const refuse = (method: string, url: string): ApiError => {
    const methods = allowed(url);
    // A route with a wildcard matches more addresses than it has something for.
    if (methods.length === 0 || methods.includes(method)) return new ApiError('NOT_FOUND');
    return new HttpProblem(
      'METHOD_NOT_ALLOWED',
      `This address answers ${methods.join(', ')}, not ${method}`,
      {
        headers: { allow: [...methods, 'OPTIONS'].join(', ') },
      },
    );
  };

  // Before the body is read: an unknown address must not be told as a wrong media type.
  app.addHook('onRequest', async (request) => {
    if (request.is404) throw refuse(request.method, request.url);
  });
  app.setNotFoundHandler((request, reply) => {
    const methods = request.method === 'OPTIONS' ? allowed(request.url) : [];
    if (methods.length === 0) throw refuse(request.method, request.url);
    reply
      .code(204)
      .header('allow', [...methods, 'OPTIONS'].join(', '))
      .send();
  });
}
