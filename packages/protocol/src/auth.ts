import { z } from 'zod';
import { timestampSchema } from './common.ts';

/** What somebody is known by: `none` where no credential is needed, `session` for the cookie of a browser. */
export const AUTH_CREDENTIALS = ['none', 'bootstrap', 'key', 'jwt', 'session', 'custom'] as const;
export type AuthCredential = (typeof AUTH_CREDENTIALS)[number];

/** Longer than a header could be. */
const MAX_TOKEN = 16_384;

export const loginSchema = z
  .object({
    token: z.string().min(1).max(MAX_TOKEN).meta({ description: 'A key, or another credential' }),
  })
  .meta({ id: 'Login', examples: [{ token: 'llmgine_key_…' }] });
export type Login = z.infer<typeof loginSchema>;

export const authSessionSchema = z
  .object({
    subject: z.string().meta({ description: 'Who is calling' }),
    tenant_id: z.string(),
    role: z.string(),
    scopes: z.array(z.string()).nullable().meta({ description: 'null: nothing less than the role' }),
    credential: z.enum(AUTH_CREDENTIALS).meta({ description: '`session`: the cookie of a browser' }),
    local: z.boolean().meta({ description: 'on the same machine, and so without a credential' }),
    expires_at: timestampSchema.nullable().meta({
      description: 'of a `session`: when it ends unless it is used before; null: never',
    }),
    csrf_token: z.string().nullable().meta({
      description: 'of a `session`: requests that may change something carry it as `X-CSRF-Token`',
    }),
  })
  .meta({ id: 'AuthSession', description: 'Who is calling, and what they may do' });
export type AuthSession = z.infer<typeof authSessionSchema>;
