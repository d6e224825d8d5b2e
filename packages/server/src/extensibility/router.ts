import type { HttpApp } from '../http/types.ts';
import type { Permission } from '../security/permissions.ts';
import type { Principal } from '../security/principal.ts';
import type { Services } from '../services.ts';
import type { Messaging } from '../ws/messaging.ts';
import { SessionHandle } from './session-handle.ts';

/** What a custom router may use. */
export interface RouterContext {
  /** A session of whoever is calling: `session(request.principal, request.params.session_id)`. */
  session(principal: Principal, sessionId: string): SessionHandle;
  readonly messaging: Messaging;
  /** `custom` of the configuration. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly services: Services;
}

/**
 * Adds routes to a Fastify instance that is mounted at the router's prefix. Schemas are Zod schemas: they validate, type
 * the request, and show in `/openapi.json`. What is thrown is answered as a problem, an `ApiError` with its code. Every
 * route needs a credential like the server's own, and `request.principal` says whose it is. It asks for the permission
 * that the router was registered with; `config: { permission: 'sessions:read' }` names another, and
 * `config: { public: true }` opens it to everybody.
 */
export type CustomRouter = (app: HttpApp, context: RouterContext) => void | Promise<void>;

export interface MountedRouter {
  readonly prefix: string;
  readonly router: CustomRouter;
  readonly permission: Permission;
}

export async function mountRouters(
  routers: readonly MountedRouter[],
  http: HttpApp,
  { services, messaging }: Pick<RouterContext, 'services' | 'messaging'>,
): Promise<void> {
  const context: RouterContext = {
    services,
    messaging,
    settings: services.config.custom,
    session: (principal, sessionId) => new SessionHandle(services, principal, sessionId),
  };
  for (const { prefix, router, permission } of routers) {
    const mount = async (scope: unknown) => {
      (scope as HttpApp).decorate('defaultPermission', permission);
      try {
        await router(scope as HttpApp, context);
      } catch (error) {
        throw (error as { code?: unknown } | null)?.code === 'FST_ERR_DUPLICATED_ROUTE'
          ? new TypeError(`The router at ${prefix}: ${(error as Error).message}`, { cause: error })
          : error;
      }
    };
    await http.register(mount, { prefix });
  }
}
