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

test('a tool that is opt-in is told to a model only where it is named', () => {
  const registry = new ToolRegistry();
  registry.register(tool('one'));
  registry.register({ ...tool('rare'), optIn: true });
  expect(registry.specs().map(({ name }) => name)).toEqual(['one']);
  expect(registry.specs(['rare']).map(({ name }) => name)).toEqual(['rare']);
  expect(registry.names).toEqual(['one', 'rare']);
});

test('what a model reads of arguments is the JSON schema of the tool, where it has one', () => {
  const registry = new ToolRegistry();
  registry.register({ ...tool('one'), jsonSchema: { type: 'object', title: 'as it is' } });
  expect(registry.specs()[0]?.parameters).toEqual({ type: 'object', title: 'as it is' });
});

test('a group is replaced as a whole, keeps its place, and its tools go with it', () => {
  const registry = new ToolRegistry();
  registry.register(tool('own'));
  registry.declareGroup('first');
  registry.declareGroup('second');
  registry.setGroup('second', [tool('b')]);
  registry.setGroup('first', [tool('a'), tool('b')]);
  expect(registry.names).toEqual(['own', 'first__a', 'first__b', 'second__b']);
  expect(registry.get('first__a')).toMatchObject({ name: 'first__a', description: 'Does a' });

  registry.setGroup('first', [tool('c')]);
  expect(registry.names).toEqual(['own', 'first__c', 'second__b']);
  expect(registry.get('first__a')).toBeUndefined();
  registry.removeGroup('second');
  expect(registry.names).toEqual(['own', 'first__c']);
});

test('whoever names a tool of a group goes on without it, unless there never was one', () => {
  const registry = new ToolRegistry();
  registry.register(tool('own'));
  registry.declareGroup('files');
  const names = (...wanted: string[]) => registry.specs(wanted).map(({ name }) => name);
  expect(names('own', 'files__read', 'files__*')).toEqual(['own']);

  registry.setGroup('files', [tool('read'), tool('write')]);
  expect(names('files__*', 'own', 'files__read')).toEqual(['files__read', 'files__write', 'own']);
  for (const unknown of ['files__nope', 'filesx__*', 'none__*', 'files_read']) {
    expect(() => names(unknown)).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }));
  }
  // It has lost one that it had.
  registry.setGroup('files', [tool('write')]);
  expect(names('files__read', 'files__write')).toEqual(['files__write']);
});

test('a tool of a group that is not there says so, asks nobody, and executes nothing', () => {
  const registry = new ToolRegistry();
  let executed = 0;
  registry.setGroup('bank', [{ ...tool('pay'), approval: true, execute: () => ++executed }]);
  registry.removeGroup('bank');
  const absent = registry.get('bank__pay');
  expect(absent?.approval).toBeUndefined();
  expect(() => absent?.execute?.({}, {} as never)).toThrow(
    '"bank", which has this tool, is not connected now',
  );
  expect(executed).toBe(0);
  expect(registry.get('other__pay')).toBeUndefined();
});

test('names of groups and their tools become names that providers accept, each its own, always the same', () => {
  const registry = new ToolRegistry();
  const long = 'x'.repeat(80);
  const awkward = ['read.file', 'read file', 'read_file', 'é', '', `${long}1`, `${long}2`, 'read.file'];
  registry.setGroup('my server.of files', awkward.map(tool));
  registry.setGroup('l'.repeat(100), [tool('a'), tool(long)]);
  const { names } = registry;
  expect(names).toHaveLength(9);
  expect(new Set(names).size).toBe(9);
  for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  expect(names[2]).toBe('my_server_of_files__read_file');
  expect(names[0]).toMatch(/^my_server_of_files__read_file_[0-9a-f]{8}$/);

  const again = new ToolRegistry();
  again.setGroup('l'.repeat(100), [tool('a'), tool(long)]);
  again.setGroup('my server.of files', awkward.map(tool));
  expect([...again.names].toSorted()).toEqual([...names].toSorted());
});

test('a tool of a group never takes the name of another', () => {
  const registry = new ToolRegistry();
  registry.register({ ...tool('a__b'), description: 'own' });
  registry.setGroup('a', [tool('b'), tool('b__c')]);
  registry.setGroup('a__b', [tool('c')]);
  expect(registry.get('a__b')?.description).toBe('own');
  expect(registry.names).toEqual([
    'a__b',
    expect.stringMatching(/^a__b_[0-9a-f]{8}$/),
    'a__b__c',
    expect.stringMatching(/^a__b__c_[0-9a-f]{8}$/),
  ]);
  expect(() => registry.register(tool('a__b__c'))).toThrow('already');
});
