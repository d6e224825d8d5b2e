/** JSON Schema of MCP servers. */
import type { JsonObject } from '@llmgine/protocol';
import type { jsonSchemaValidator } from '@modelcontextprotocol/client';
import { z } from 'zod';
import { compileSchema, type SchemaCheck } from '../../validation/json-schema.ts';

/** Takes anything where the schema cannot be compiled: the server has the last word. */
function checkOf(schema: JsonObject): SchemaCheck {
  // Most servers say draft 7, whose words for arguments mean the same here.
  const { $schema: _, ...rest } = schema;
  try {
    return compileSchema(rest);
  } catch {
    return () => [];
  }
}

/** Compiled by the first value: a server may have a hundred tools, of which one is called. */
function lazyCheckOf(schema: JsonObject): SchemaCheck {
  let check: SchemaCheck | undefined;
  return (value) => {
    check ??= checkOf(schema);
    return check(value);
  };
}

/** Arguments of a tool. */
export function argumentsSchema(schema: JsonObject): z.ZodType {
  const check = lazyCheckOf(schema);
  return z.record(z.string(), z.unknown()).check(({ value, issues }) => {
    for (const { path, message } of check(value)) {
      issues.push({ code: 'custom', input: value, path: path === '' ? [] : path.split('.'), message });
    }
  });
}

/** What the client checks results with. */
export const schemaValidator: jsonSchemaValidator = {
  getValidator: <T>(schema: unknown) => {
    const check = lazyCheckOf(schema as JsonObject);
    return (input: unknown) => {
      const [first] = check(input);
      return first
        ? {
            valid: false,
            data: undefined,
            errorMessage: [first.path, first.message].filter(Boolean).join(' '),
          }
        : { valid: true, data: input as T, errorMessage: undefined };
    };
  },
};
