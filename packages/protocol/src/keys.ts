/** What people say about keys, and what they are told. */
import { z } from 'zod';
import { timestampSchema } from './common.ts';
import { PERMISSIONS, ROLES } from './permissions.ts';

/** In seconds; of `rotate`. */
const DEFAULT_GRACE = 86_400;
const MAX_GRACE = 30 * 86_400;

/** Without a colon, so that nobody is taken for a principal of another kind of credential. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/;
const id = (what: string) =>
  z
    .string()
    .regex(NAME, 'must be 1 to 128 letters, digits and "._@-", and begin with a letter or digit')
    .meta({ description: what });

const name = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u, 'must have no control characters')
  .meta({ description: 'For people: what the key is for', examples: ['CI of the web shop'] });
const role = z.enum(ROLES).meta({ description: 'What the key allows at most' });
const scopes = z
  .array(z.enum(PERMISSIONS))
  .min(1)
  .max(PERMISSIONS.length)
  .nullable()
  .meta({ description: 'Permissions that it is limited to; null: to nothing less than the role' });
const expiresAt = z.iso
  .datetime({ offset: true })
  .nullable()
  .meta({ description: 'ISO 8601; null: never', examples: ['2030-01-01T00:00:00Z'] });

export const newKeySchema = z
  .object({
    name,
    role: role.default('user'),
    scopes: scopes.default(null),
    tenant_id: id('Tenant; default: yours').optional(),
    principal_id: id(
      'Whose key it is. Keys of one principal see the same sessions; default: a new one',
    ).optional(),
    expires_at: expiresAt.default(null),
  })
  .meta({ id: 'NewKey', examples: [{ name: 'CI of the web shop', role: 'user' }] });
export type NewKeyInput = z.input<typeof newKeySchema>;

export const keyChangesSchema = z
  .object({ name, role, scopes, expires_at: expiresAt })
  .partial()
  .meta({ id: 'KeyChanges', description: 'What is not given stays', examples: [{ role: 'viewer' }] });
export type KeyChangesInput = z.input<typeof keyChangesSchema>;

export const rotationSchema = z
  .object({
    grace: z
      .number()
      .min(0)
      .max(MAX_GRACE)
      .default(DEFAULT_GRACE)
      .meta({ description: 'Seconds for which the old key goes on; default 24 hours, at most 30 days' }),
  })
  .meta({ id: 'KeyRotation' });
export type RotationInput = z.input<typeof rotationSchema>;

export const keySchema = z
  .object({
    id: z.string().meta({ description: 'Part of the key', examples: ['key_4fGq0ZtR1xYw'] }),
    name: z.string(),
    tenant_id: z.string(),
    principal_id: z.string(),
    role: z.string(),
    scopes: z.array(z.string()).nullable(),
    created_at: timestampSchema,
    expires_at: timestampSchema.nullable(),
    last_used_at: timestampSchema.nullable().meta({ description: 'to the minute' }),
    revoked_at: timestampSchema.nullable(),
    successor_id: z.string().nullable().meta({ description: 'The key that takes over from it' }),
    status: z.enum(['active', 'expired', 'revoked']),
  })
  .meta({ id: 'Key', description: 'An API key, without the key itself' });
export type KeyView = z.output<typeof keySchema>;

export const issuedKeySchema = keySchema
  .extend({ key: z.string().meta({ description: 'The key itself. It is shown this once' }) })
  .meta({ id: 'IssuedKey', description: 'A new API key' });
export type IssuedKey = z.output<typeof issuedKeySchema>;
