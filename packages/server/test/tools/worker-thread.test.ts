import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { WorkerThread, type WorkerThreadOptions } from '../../src/tools/worker/worker-thread.ts';
import { closing } from './tool-context.ts';

const SCRIPT = new URL('./worker-script.ts', import.meta.url);
/** Longer than any test lasts. */
const AMPLE = 60_000;

function workerThread(options: Partial<WorkerThreadOptions> = {}) {
  return closing(
    new WorkerThread<string, string>({
      task: 'the work',
      script: SCRIPT,
      limitMs: AMPLE,
      memoryMb: 32,
      ...options,
    }),
  );
}

test('answers in the order of the calls, one after the other', async () => {
  const thread = workerThread();

  const answers = await Promise.all(['say a', 'say b', 'say c', 'did'].map((input) => thread.run(input)));

  expect(answers).toEqual(['a', 'b', 'c', 'a,b,c']);
});

test('what the script throws is the failure of its call, and the thread goes on', async () => {
  const thread = workerThread();
  await thread.run('say a');

  await expect(thread.run('throw no')).rejects.toThrow('no');

  expect(await thread.run('did')).toBe('a,no');
});

describe('a call that ends its thread', () => {
  test.each([
    ['takes too long', 'hang', 'The work takes too long', { limitMs: 1000 }],
    ['takes too much memory', 'fill', 'The work takes too much memory', {}],
    ['exits', 'exit', 'The work ended early', {}],
  ] as const)(
    'because it %s fails clearly, and the next has a new one',
    async (_why, input, message, options) => {
      const thread = workerThread(options);

      const [outcome, next] = await Promise.allSettled([thread.run(input), thread.run('did')]);

      expect(outcome).toMatchObject({ status: 'rejected', reason: { message } });
      // A new thread has done nothing before.
      expect(next).toEqual({ status: 'fulfilled', value: '' });
    },
  );

  test('leaves the calls that have not begun to the next thread', async () => {
    const thread = workerThread({ limitMs: 1000 });

    const outcomes = await Promise.allSettled(
      ['hang', 'say a', 'exit', 'say b', 'hang', 'say c'].map((input) => thread.run(input)),
    );

    expect(outcomes.map((one) => (one.status === 'fulfilled' ? one.value : 'failed'))).toEqual([
      'failed',
      'a',
      'failed',
      'b',
      'failed',
      'c',
    ]);
  });
});

test('a script that cannot be loaded fails its calls, each of them', async () => {
  const thread = workerThread({ script: new URL('./no-such-script.ts', import.meta.url) });

  for (const input of ['say a', 'say b']) await expect(thread.run(input)).rejects.toThrow('The work failed');
});

test('a call that is cancelled is not done, when it has not begun', async () => {
  const thread = workerThread();
  await thread.run('say a');
  const controller = new AbortController();

  const first = thread.run('say b');
  const cancelled = thread.run('say c', controller.signal);
  controller.abort(new Error('cancelled'));

  await expect(cancelled).rejects.toThrow('cancelled');
  await first;
  expect(await thread.run('did')).toBe('a,b');
  await expect(thread.run('say d', controller.signal)).rejects.toThrow('cancelled');
});

test('a call that has begun is let go at once when it is cancelled', async () => {
  const thread = workerThread();
  await thread.run('say a');
  const controller = new AbortController();

  const hanging = thread.run('hang', controller.signal);
  controller.abort(new Error('cancelled'));

  await expect(hanging).rejects.toThrow('cancelled');
});

test('more than may wait are refused at once', async () => {
  const thread = workerThread({ maxWaiting: 2 });

  const outcomes = await Promise.allSettled(
    ['say a', 'say b', 'say c', 'say d'].map((input) => thread.run(input)),
  );

  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
  expect(outcomes[3]).toMatchObject({ reason: { message: 'Too much waits for the work; try later' } });
});

test('closing it fails what is running and what waits, and it stays closed', async () => {
  const thread = workerThread();
  await thread.run('say a');

  const calls = ['hang', 'say b'].map((input) => thread.run(input));
  const outcomes = Promise.allSettled(calls);
  await thread.close();
  await thread.close();

  const stopping = { status: 'rejected', reason: { message: 'The server is stopping' } };
  expect(await outcomes).toMatchObject([stopping, stopping]);
  await expect(thread.run('say c')).rejects.toThrow('The server is stopping');
});

test('closing it while it starts leaves no thread', async () => {
  const thread = workerThread();

  const outcome = expect(thread.run('say a')).rejects.toThrow('The server is stopping');
  await thread.close();

  await outcome;
});

test('the thread sees nothing of the environment', async () => {
  process.env.LLMGINE_TEST_SECRET = 'secret';

  expect(await workerThread().run('environment')).toBe('{}');
  delete process.env.LLMGINE_TEST_SECRET;
});

test('a process has its answer, and then ends although it has a thread', async () => {
  const program = `
    import { WorkerThread } from ${JSON.stringify(new URL('../../src/tools/worker/worker-thread.ts', import.meta.url).href)};
    const script = new URL(${JSON.stringify(SCRIPT.href)});
    const thread = new WorkerThread({ task: 'the work', script, limitMs: ${AMPLE}, memoryMb: 32 });
    console.log(await thread.run('say done'));
  `;

  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);

  expect(stdout).toBe('done\n');
});
