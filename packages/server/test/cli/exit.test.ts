import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { describeFailure } from '../../src/cli/exit.ts';
import { APIConfig } from '../../src/config.ts';

function failureOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

function listenFailure(port: number, host: string): Promise<Error> {
  return new Promise((resolve) => {
    createServer().once('error', resolve).listen(port, host);
  });
}

test('a wrong configuration is a usage error that names the setting', () => {
  const error = failureOf(() => new APIConfig({ port: 'many' }, { env: {} }));

  expect(describeFailure(error)).toEqual({
    line: 'port is "many", but must be a whole number from 0 to 65535',
    exitCode: 2,
  });
});

test('a port that is taken is said to be, with the way out', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as { port: number };

  const failure = describeFailure(await listenFailure(port, '127.0.0.1'));
  await new Promise((resolve) => taken.close(resolve));

  expect(failure.exitCode).toBe(1);
  expect(failure.line).toBe(
    `port ${port} is taken by another program; choose one with --port or LLMGINE_API_PORT`,
  );
});

test('an address of another machine is said to be one', async () => {
  const failure = describeFailure(await listenFailure(0, '192.0.2.1'));

  expect(failure.line).toBe(
    '192.0.2.1 is not an address of this machine; choose one with --host or LLMGINE_API_HOST',
  );
});

test('a name that nobody knows is said to be one', async () => {
  const failure = describeFailure(await listenFailure(0, 'no such host'));

  expect(failure).toEqual({
    line: 'no such host is not the name of an address; choose another with --host or LLMGINE_API_HOST',
    exitCode: 1,
  });
});

test('anything else is its first line', () => {
  expect(describeFailure(new Error('broken\nstack'))).toEqual({ line: 'broken', exitCode: 1 });
  expect(describeFailure('odd')).toEqual({ line: 'odd', exitCode: 1 });
});
