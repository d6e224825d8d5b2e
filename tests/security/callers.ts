import type { IncomingMessage } from 'node:http';
import type { App } from '@llmgine/api';
import { vi } from 'vitest';
import type { Principal } from '../../packages/server/src/security/principal.ts';

/** An admin of the server's own tenant, unless it is told otherwise. `name` is what tests call it by. */
export function caller(id: string, values: Partial<Principal> = {}, name = id): Principal {
  return {
    id,
    tenantId: 'default',
    role: 'admin',
    scopes: null,
    local: false,
    credential: { kind: 'custom', id: name, expiresAt: null },
    ...values,
  };
}

/** Whoever sends `X-Caller: NAME` is that caller; all others are who they would be anyway. Returns the headers of each. */
export function letIn(app: App, callers: readonly Principal[]): (name: string) => Record<string, string> {
  const { authenticate: real } = app.services;
  const authenticate = real.authenticate.bind(real);
  vi.spyOn(real, 'authenticate').mockImplementation(async (request: IncomingMessage, credential) => {
    const known = callers.find(({ credential }) => credential.id === request.headers['x-caller']);
    return known ?? authenticate(request, credential);
  });
  return (name) => ({ 'x-caller': name });
}
