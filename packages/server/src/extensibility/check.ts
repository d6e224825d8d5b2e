/**
 * What the types say, for those who write plain JavaScript: it is a `TypeError` where it is registered, and not a failure
 * of whoever meets it first.
 */
import { z } from 'zod';
import { isPermission, PERMISSIONS } from '../security/permissions.ts';
import type { MessageModel } from './messages.ts';

/**
 * Objects are what travels, so a schema has to take one. `any` lets through what JSON Schema cannot say (a date, say),
 * as the documents of the server do; `throw` does not.
 */
export function assertObjectSchema(what: string, schema: unknown, unrepresentable: 'any' | 'throw' = 'any') {
  const type = describe(what, schema, unrepresentable);
  if (type !== undefined && type !== 'object') {
    throw new TypeError(`${what} must be the schema of an object, not of: ${String(type)}`);
  }
}

/** JSON Schema has to be able to say it. */
export function assertDescribable(what: string, schema: unknown) {
  describe(what, schema, 'throw');
}

function describe(what: string, schema: unknown, unrepresentable: 'any' | 'throw'): unknown {
  if (!(schema instanceof z.core.$ZodType)) {
    throw new TypeError(`${what} must be a schema of Zod 4, such as z.object({ text: z.string() })`);
  }
  try {
    return z.toJSONSchema(schema, { io: 'input', unrepresentable }).type;
  } catch (error) {
    throw new TypeError(`${what} cannot be described: ${(error as Error).message}`, { cause: error });
  }
}

export function assertFunction(what: string, value: unknown) {
  if (typeof value !== 'function') throw new TypeError(`${what} must be a function`);
}

export function assertPermission(what: string, value: unknown) {
  if (!isPermission(value)) throw new TypeError(`${what} must be one of: ${PERMISSIONS.join(', ')}`);
}

export function assertMessageModel(what: string, model: unknown) {
  const { type, schema } = (model ?? {}) as Partial<MessageModel>;
  if (typeof model === 'function' && typeof type === 'string' && schema instanceof z.core.$ZodType) return;
  throw new TypeError(
    `${what} must be a class that defineMessage makes, because its schema validates what clients send: ` +
      "class Greet extends defineMessage('greet', z.object({ name: z.string() })) {}",
  );
}
