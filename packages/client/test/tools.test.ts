/** Tools that run in the client. */
import { defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { type ClientTools, LlmgineError } from '@llmgine/client';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { startModelApp } from '../../../tests/helpers/model-app.ts';
import { ToolRunner } from '../src/tools.ts';
import { testClient } from './helpers.ts';

const where = defineTool({
  name: 'where',
  description: 'Where the user is',
  parameters: z.object({ precise: z.boolean() }),
  result: z.object({ city: z.string() }),
  client: true,
});

/** A session whose model calls the tool, and then says what it got. */
async function start() {
  const apiFactory = new ExtensibleAPIFactory().registerTool(where);
  const { models, url, createSession } = await startModelApp({ apiFactory });
  const id = await createSession({ engine_type: 'ToolChatEngine', engine_config: { tools: ['where'] } });
  models.respond = ({ body }) => {
    const last = body.messages.at(-1);
    if (last?.role === 'tool') return { steps: [{ text: `Got ${JSON.stringify(last.content)}` }] };
    return { steps: [{ toolCalls: [{ id: 'call_1', name: 'where', arguments: { precise: true } }] }] };
  };
  const client = testClient(url);
  return { client, id, session: (tools?: ClientTools) => client.session(id, tools ? { tools } : {}) };
}

test('a tool of the client is called with its arguments, once, and the run goes on with its result', async () => {
  const { client, id, session } = await start();
  const handler = vi.fn(async (_input: Record<string, unknown>) => ({ city: 'Rome' }));
  const run = session({ where: handler }).prompt('Where am I?');
  expect(await run.text).toContain('Rome');
  expect(handler).toHaveBeenCalledOnce();
  expect(handler).toHaveBeenCalledWith({ precise: true }, expect.objectContaining({ runId: run.runId }));
  const { requests } = await client.requests.list(id);
  expect(requests).toMatchObject([{ kind: 'client_tool', outcome: 'submitted' }]);
});

test('what was asked before the client came is asked of it, too', async () => {
  const { client, id, session } = await start();
  const run = session().prompt('Where am I?');
  await expect.poll(async () => (await client.requests.list(id)).requests.length).toBe(1);
  await session({ where: () => ({ city: 'Oslo' }) }).connect();
  expect(await run.text).toContain('Oslo');
});

test('of two clients with the tool, one executes it', async () => {
  const { session } = await start();
  const handler = vi.fn(() => ({ city: 'Rome' }));
  const [ann, ben] = [session({ where: handler }), session({ where: handler })];
  await ben.connect();
  expect(await ann.prompt('Where am I?').text).toContain('Rome');
  expect(handler).toHaveBeenCalledOnce();
});

test('a tool that throws gives the model its message', async () => {
  const { session } = await start();
  const failing = () => {
    throw new Error('No position');
  };
  expect(await session({ where: failing }).prompt('Where am I?').text).toContain('No position');
});

test('a result that does not fit the tool is reported, and gives the model an error instead of leaving the run alone', async () => {
  const { client, id } = await start();
  const onError = vi.fn();
  const own = testClient(client.url, { onError }).session(id, { tools: { where: () => ({ town: 'Rome' }) } });
  expect(await own.prompt('Where am I?').result).toMatchObject({ status: 'completed' });
  expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'VALIDATION_ERROR' }));
  expect((await client.requests.list(id)).requests).toMatchObject([{ outcome: 'error' }]);
});

test('a tool whose run is cancelled is told by its signal', async () => {
  const { session } = await start();
  const called = Promise.withResolvers<AbortSignal>();
  const own = session({
    where: (_input, { signal }) => {
      called.resolve(signal);
      return new Promise(() => {});
    },
  });
  const run = own.prompt('Where am I?');
  const signal = await called.promise;
  expect(signal.aborted).toBe(false);
  await run.cancel();
  await expect.poll(() => signal.aborted).toBe(true);
});

test('a claim whose answer is lost is not taken for one: the tool is begun when the old claim has run out', async () => {
  vi.useFakeTimers();
  try {
    const handler = vi.fn(() => 'done');
    const lost = new LlmgineError('CONNECTION_LOST');
    const claim = vi.fn().mockRejectedValueOnce(lost).mockResolvedValue({});
    const answer = vi.fn().mockResolvedValue({});
    const request = { request_id: 'r', kind: 'client_tool', tool_name: 'mine' };
    const until = new Date(Date.now() + 30_000).toISOString();
    const pending = vi
      .fn()
      .mockResolvedValueOnce([{ ...request, claimed_until: until }])
      .mockResolvedValue([{ ...request, claimed_until: until }]);
    const runner = new ToolRunner({ mine: handler }, { claim, answer, pending, report: () => {} });
    runner.requested(request);
    await vi.advanceTimersByTimeAsync(0);
    await runner.connected();
    await vi.advanceTimersByTimeAsync(29_000);
    expect(handler).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(handler).toHaveBeenCalledOnce();
    expect(answer).toHaveBeenCalledExactlyOnceWith('r', { outcome: 'submitted', value: 'done' });
    runner.requested(request);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(handler).toHaveBeenCalledOnce();
    runner.close(lost);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('a claim that is refused for the moment is made again', async () => {
  vi.useFakeTimers();
  try {
    const handler = vi.fn(() => 'done');
    const claim = vi.fn().mockRejectedValueOnce(new LlmgineError('UNAVAILABLE')).mockResolvedValue({});
    const request = { request_id: 'r', kind: 'client_tool', tool_name: 'mine' };
    const host = { claim, answer: async () => ({}), pending: async () => [request], report: () => {} };
    const runner = new ToolRunner({ mine: handler }, host);
    runner.requested(request);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(handler).toHaveBeenCalledOnce();
  } finally {
    vi.useRealTimers();
  }
});

test('without a connection the renewals of a claim do not pile up', async () => {
  vi.useFakeTimers();
  try {
    const claim = vi
      .fn()
      .mockResolvedValueOnce({})
      .mockReturnValue(new Promise(() => {}));
    const host = { claim, answer: async () => ({}), pending: async () => [], report: () => {} };
    const runner = new ToolRunner({ mine: () => new Promise(() => {}) }, host);
    runner.requested({ request_id: 'r', kind: 'client_tool', tool_name: 'mine' });
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(claim).toHaveBeenCalledTimes(2);
    runner.close(new LlmgineError('CONNECTION_CLOSED'));
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('a tool that was stopped by closing the session is begun anew when the session is connected again', async () => {
  vi.useFakeTimers();
  try {
    const first = Promise.withResolvers<string>();
    const handler = vi.fn().mockReturnValueOnce(first.promise).mockReturnValue('done');
    const answer = vi.fn().mockResolvedValue({});
    const request = { request_id: 'r', kind: 'client_tool', tool_name: 'mine' };
    const host = { claim: async () => ({}), answer, pending: async () => [request], report: () => {} };
    const runner = new ToolRunner({ mine: handler }, host);
    runner.requested(request);
    await vi.advanceTimersByTimeAsync(0);
    runner.close(new LlmgineError('CONNECTION_CLOSED'));
    await runner.connected();
    first.resolve('too late');
    await vi.advanceTimersByTimeAsync(0);
    expect(handler).toHaveBeenCalledTimes(2);
    expect(answer).toHaveBeenCalledExactlyOnceWith('r', { outcome: 'submitted', value: 'done' });
  } finally {
    vi.useRealTimers();
  }
});
