import { expect, test } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { defineTool } from '../../src/index.ts';
import { createBuiltinTools } from '../../src/tools/builtin.ts';
import { ToolRegistry } from '../../src/tools/registry.ts';
import { closing, toolContext } from './tool-context.ts';

function registryOf() {
  const registry = new ToolRegistry();
  for (const tool of closing(createBuiltinTools()).tools) registry.register(tool);
  return registry;
}

test('models have them all but the one that can send data out', () => {
  const registry = registryOf();

  expect(registry.specs().map(({ name }) => name)).toEqual(['calculate', 'current_time', 'ask_user']);
  expect(registry.specs(['fetch_url'])).toEqual([
    expect.objectContaining({
      name: 'fetch_url',
      parameters: expect.objectContaining({ required: ['url'] }),
    }),
  ]);
});

test('they keep the rules that tools of applications have to keep', () => {
  const { tools } = closing(createBuiltinTools());

  for (const tool of tools) expect(() => defineTool(tool)).not.toThrow();
});

test('the threads end with the application', async () => {
  const { app } = await startApp();
  const tool = app.services.tools.get('calculate');
  const calculate = () => Promise.resolve(tool?.execute?.({ expression: '6 * 7' }, toolContext()));

  expect(await calculate()).toEqual({ value: 42 });
  await app.close();

  await expect(calculate()).rejects.toThrow('The server is stopping');
});
