import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { CredentialVerifier } from '../security/authenticate.ts';
import { LAST_MOMENT } from '../security/last-moment.ts';
import { PERMISSIONS, ROLES } from '../security/permissions.ts';
import type { Principal } from '../security/principal.ts';

const name = (max: number) => z.string().regex(new RegExp(`^[^\\s\\p{C}]{1,${max}}$`, 'u'));

const foundSchema = z.object({
  id: name(200),
  tenantId: name(100).default('default'),
  role: z.enum(ROLES).default('user'),
  scopes: z.array(z.enum(PERMISSIONS)).optional(),
  expiresAt: z.date().optional(),
});

/** Whose a credential is. Ids are told apart from those of keys and tokens: the principal is `custom:ID`. */
export type AuthenticatedCaller = z.input<typeof foundSchema>;

/** What is known of the request, besides its credential. */
export interface AuthenticationRequest {
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string | undefined;
}

/**
 * Says whose credential this is, or null when it is nobody's. Callers choose what they offer, so it MUST NOT throw for
 * that; what it throws is a failure of the server, and the caller is not let in.
 */
export type Authentication = (
  credential: string,
  request: AuthenticationRequest,
) => AuthenticatedCaller | null | Promise<AuthenticatedCaller | null>;

export function customVerifier(authenticate: Authentication): CredentialVerifier {
  return {
    async verify(offered, { headers, socket }) {
      const found = await authenticate(offered, { headers, remoteAddress: socket?.remoteAddress });
      const principal = found === null ? null : principalOf(found);
      return hasExpired(principal) ? null : principal;
    },
  };
}

function hasExpired(principal: Principal | null): boolean {
  const expiresAt = principal?.credential.expiresAt ?? null;
  return expiresAt !== null && expiresAt <= Date.now();
}

/** Throws a `TypeError` for what is no caller: a role that is none must not become one. */
function principalOf(found: AuthenticatedCaller): Principal {
  const parsed = foundSchema.safeParse(found);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TypeError(`The authentication gave no caller: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { id, tenantId, role, scopes = null, expiresAt } = parsed.data;
  const ends = expiresAt === undefined ? null : Math.min(expiresAt.getTime(), LAST_MOMENT);
  return {
    id: `custom:${id}`,
    tenantId,
    role,
    scopes,
    local: false,
    credential: { kind: 'custom', id: null, expiresAt: ends },
  };
}
