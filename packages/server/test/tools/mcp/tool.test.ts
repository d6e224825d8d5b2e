import type { Tool } from '@modelcontextprotocol/client';
import { expect, test } from 'vitest';
import { readEntry } from '../../../src/tools/mcp/server-config.ts';
import { toolsOf } from '../../../src/tools/mcp/tool.ts';

function tools(listed: readonly Partial<Tool>[], entry: object = {}) {
  const { server } = readEntry('odd', { command: 'x', ...entry }, () => undefined);
  if (!server) throw new TypeError('disabled');
  const all = listed.map((tool) => ({ name: 'a', inputSchema: { type: 'object' as const }, ...tool }));
  return toolsOf(server, all, () => Promise.reject(new Error('nobody is there')));
}

const many = (count: number, description = '') =>
  Array.from({ length: count }, (_, n) => ({ name: `tool_${n}`, description }));

function nested(levels: number): Tool['inputSchema'] {
  let schema: object = { type: 'string' };
  for (let level = 1; level < levels; level++) schema = { items: schema };
  return { type: 'object', ...schema } as Tool['inputSchema'];
}

test('a list is cut where a model could not be told of more, and says so', () => {
  expect(tools(many(512))).toMatchObject({ tools: { length: 512 }, notes: [] });
  expect(tools(many(513)).notes).toEqual([
    'only the first 512 of 513 tools are used; choose with allowedTools',
  ]);

  const schema = { type: 'object' as const, title: 'x'.repeat(90_000) };
  const large = tools(many(20).map((tool) => ({ ...tool, inputSchema: schema })));
  expect(large.tools).toHaveLength(5);
  expect(large.notes).toEqual(['only the first 5 of 20 tools are used; choose with allowedTools']);
});

test('a long list is used where it is chosen from', () => {
  const { tools: chosen, notes } = tools(many(5000, 'x'.repeat(2000)), { allowedTools: ['tool_4999'] });

  expect(chosen.map(({ name }) => name)).toEqual(['tool_4999']);
  expect(chosen[0]?.description.length).toBe(1024);
  expect(notes).toEqual([]);
});

test.each([
  ['long', { type: 'object' as const, title: 'x'.repeat(100_000) }],
  ['deep', nested(65)],
  ['deep enough to break what walks through it', nested(50_000)],
])('a tool whose schema is too %s is left out, and the others are there', (_, inputSchema) => {
  const { tools: kept, notes } = tools([
    { name: 'odd', inputSchema },
    { name: 'fine', inputSchema: nested(60) },
  ]);

  expect(kept.map(({ name }) => name)).toEqual(['fine']);
  expect(notes).toEqual(['tools whose schema has more than 100000 characters or 64 levels were left out']);
});
