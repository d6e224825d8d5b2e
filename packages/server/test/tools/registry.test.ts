import { expect, test } from 'vitest';
import { z } from 'zod';
import { ToolRegistry } from '../../src/tools/registry.ts';
import type { ToolDefinition } from '../../src/tools/types.ts';

function tool(name: string): ToolDefinition {
  return {
    name,
    description: `Does ${name}`,
    parameters: z.object({ count: z.int().default(1) }),
    execute: () => null,
  };
}

test('describes tools to a model by the JSON schema of what they take', () => {
  const registry = new ToolRegistry();
  registry.register(tool('one'));
  registry.register(tool('two'));
  expect(registry.names).toEqual(['one', 'two']);
  expect(registry.specs(['two'])).toEqual([
    {
      name: 'two',
      description: 'Does two',
      parameters: {
        type: 'object',
        properties: { count: expect.objectContaining({ type: 'integer', default: 1 }) },
      },
    },
  ]);
  expect(registry.specs()).toHaveLength(2);
});

test('refuses names that providers would refuse, and names that are taken', () => {
  const registry = new ToolRegistry();
  registry.register(tool('one'));
  expect(() => registry.register(tool('one'))).toThrow('already');
  for (const name of ['', 'with space', 'a.b', 'x'.repeat(65)]) {
    expect(() => registry.register(tool(name))).toThrow('must match');
  }
});

test('an unknown tool is the mistake of whoever names it', () => {
  const registry = new ToolRegistry();
  registry.register(tool('one'));
  expect(() => registry.specs(['none'])).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }));
});
