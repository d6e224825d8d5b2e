/** A conversation over real HTTP with a server that speaks the OpenAI-compatible wire, through both adapters. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { startModelApp } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const USAGE = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };

/** Event types in their order, a row of deltas as one. */
function shapeOf(events: readonly { readonly event_type: string }[]): string[] {
  const types = events.map(({ event_type }) => event_type);
  return types.filter((type, i) => !type.endsWith('_delta') || type !== types[i - 1]);
}

const ANSWER_SHAPE = [
  'run_queued',
  'message_completed',
  'run_started',
  'step_started',
  'message_started',
  'text_delta',
  'message_completed',
  'step_finished',
  'run_finished',
];

describe.each(['lean', 'ai-sdk'] as const)('with the %s adapter', (modelAdapter) => {
  const start = (env?: Record<string, string>) =>
    startModelApp({ config: { modelAdapter }, ...(env ? { env } : {}) });

  test('an answer is streamed over WebSocket and over SSE with the same events and cursors', async () => {
    const { models, url, wsUrl, createSession } = await start();
    const gate = models.gate();
    models.script({ steps: [{ text: 'Hel' }, { gate }, { text: 'lo' }], usage: USAGE });
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    const follower = await TestStream.open(`${url}/api/sessions/${id}/events`);
    const socket = await TestSocket.open(wsUrl(id));

    const result = socket.run('prompt', { prompt: 'Hi' });
    await gate.reached;
    const early = await socket.findEvent('text_delta');
    expect(early.data.payload.text).toBe('Hel');
    expect((await follower.findEvent('text_delta')).data).toEqual(early.data);
    gate.release();

    const { run_id: runId, ...outcome } = await result;
    expect(outcome).toEqual({
      status: 'completed',
      result: { text: 'Hello', message_id: expect.any(String), finish_reason: 'stop' },
      usage: expect.objectContaining({ input_tokens: 7, output_tokens: 2, total_tokens: 9 }),
      error: null,
    });
    const finished = await socket.findEvent('run_finished');
    expect(finished.data.payload).toEqual(outcome);
    await follower.findEvent('run_finished');
    expect(follower.events.map(({ data }) => data)).toEqual(socket.events);
    expect(follower.events.map(({ id, event }) => ({ id, event }))).toEqual(
      socket.events.map(({ cursor, event_type }) => ({ id: cursor, event: event_type })),
    );
    const seqs = socket.events.map(({ seq }) => seq as number);
    expect(seqs).toEqual(seqs.map((_, i) => (seqs[0] as number) + i));
    expect(shapeOf(socket.events)).toEqual(ANSWER_SHAPE);

    // A command over REST streams its own run, and the socket sees the same.
    const stream = await TestStream.open(`${url}/api/sessions/${id}/commands`, {
      method: 'POST',
      body: { command: 'prompt', parameters: { prompt: 'Again' } },
    });
    const last = await stream.find(({ event }) => event === 'command_result');
    await stream.ended;
    expect(stream.events.at(-1)).toEqual(last);
    expect(last.data).toMatchObject({ status: 'completed', error: null });
    const second = last.data.run_id as string;
    await socket.findEvent('run_finished', second);
    expect(stream.events.slice(0, -1).map(({ data }) => data)).toEqual(
      socket.events.filter(({ run_id }) => run_id === second),
    );
    const accepted = await socket.findType('command_accepted');
    const page = await call('GET', `${url}/api/sessions/${id}/events?after=${accepted.data.cursor}`);
    expect(page.body.events).toEqual(socket.events);
    expect(runId).not.toBe(second);
  });

  test('the model hears the whole conversation, and the engine configuration', async () => {
    const { models, wsUrl, createSession } = await start({ OPENAI_API_KEY: 'sk-test-0123456789abcdef' });
    const id = await createSession({
      engine_type: 'ToolChatEngine',
      engine_config: { system_prompt: 'Be brief.', temperature: 0.5, max_output_tokens: 50, tools: [] },
    });
    const socket = await TestSocket.open(wsUrl(id));
    models.script({ steps: [{ reasoning: 'Hm.' }, { text: 'One' }] }, { steps: [{ text: 'Two' }] });

    await socket.run('prompt', { prompt: 'First' });
    await socket.run('prompt', { prompt: 'Second' });

    const [, request] = models.requests;
    expect(request?.headers.authorization).toBe('Bearer sk-test-0123456789abcdef');
    expect(request?.body).toMatchObject({ model: 'x', stream: true, temperature: 0.5, max_tokens: 50 });
    expect(request?.body.messages.map(({ role, content }) => [role, content])).toEqual([
      ['system', 'Be brief.'],
      ['user', 'First'],
      ['assistant', 'One'],
      ['user', 'Second'],
    ]);
    expect((await socket.findEvent('reasoning_delta')).data.payload.text).toBe('Hm.');
  });

  test('SinglePassEngine sends the prompt alone', async () => {
    const { models, wsUrl, createSession } = await start();
    const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'SinglePassEngine' })));
    await socket.run('prompt', { prompt: 'First' });
    await socket.run('prompt', { prompt: 'Second' });
    expect(models.requests[1]?.body.messages.map(({ content }) => content)).toEqual(['Second']);
    expect(models.requests[1]?.body.tools).toBeUndefined();
  });

  test('text arrives whole however the network cuts it', async () => {
    const { models, url, wsUrl, createSession } = await start();
    const text = 'Zoë 🦊 says: "naïve"\n\n\tx\\y \u2028 你好';
    models.script({ steps: [...text].map((letter) => ({ text: letter })), cut: 1, eol: '\r\n' });
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    const socket = await TestSocket.open(wsUrl(id));

    const { result } = await socket.run('prompt', { prompt: 'Hi' });

    expect(result.text).toBe(text);
    const deltas = socket.events.filter(({ event_type }) => event_type === 'text_delta');
    expect(deltas.map(({ payload }) => payload.text).join('')).toBe(text);
    const { body } = await call('GET', `${url}/api/sessions/${id}/messages`);
    expect(body.messages[1].parts).toEqual([{ type: 'text', text }]);
  });

  test('the model calls tools side by side and answers with their results', async () => {
    const { models, url, wsUrl, createSession } = await start();
    models.script(
      {
        steps: [
          { text: 'Let me see. ' },
          {
            toolCalls: [
              { id: 'call_a', name: 'calculate', arguments: { expression: '6 * 7' } },
              { id: 'call_b', name: 'current_time', arguments: { time_zone: 'Europe/Berlin' } },
              { id: 'call_c', name: 'no_such_tool', arguments: {} },
            ],
          },
        ],
        usage: USAGE,
      },
      { steps: [{ text: 'It is 42.' }], usage: USAGE },
    );
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    const socket = await TestSocket.open(wsUrl(id));

    const result = await socket.run('prompt', { prompt: 'What is 6 * 7?' });

    expect(result).toMatchObject({
      status: 'completed',
      result: { text: 'It is 42.' },
      usage: { input_tokens: 14, output_tokens: 4, total_tokens: 18 },
    });
    const payloads = (type: string) =>
      socket.events.filter(({ event_type }) => event_type === type).map(({ payload }) => payload);
    expect(payloads('tool_call').map(({ tool_call_id, tool_name }) => [tool_call_id, tool_name])).toEqual([
      ['call_a', 'calculate'],
      ['call_b', 'current_time'],
      ['call_c', 'no_such_tool'],
    ]);
    const results = new Map(payloads('tool_result').map((result) => [result.tool_call_id, result]));
    expect(results.get('call_a')).toMatchObject({ result: { value: 42 }, is_error: false });
    expect(results.get('call_b')).toMatchObject({
      result: { time_zone: 'Europe/Berlin' },
      is_error: false,
    });
    expect(results.get('call_c')).toMatchObject({ is_error: true });
    expect(payloads('step_finished').map(({ step, finish_reason }) => [step, finish_reason])).toEqual([
      [1, 'tool_calls'],
      [2, 'stop'],
    ]);

    const [first, second] = models.requests;
    expect(first?.body.tools?.map((tool) => tool.function.name)).toEqual([
      'calculate',
      'current_time',
      'ask_user',
    ]);
    const answers = second?.body.messages.filter(({ role }) => role === 'tool');
    expect(answers?.map(({ tool_call_id }) => tool_call_id)).toEqual(['call_a', 'call_b', 'call_c']);
    expect(answers?.[0]?.content).toBe('{"value":42}');
    const { body } = await call('GET', `${url}/api/sessions/${id}/messages`);
    expect(body.messages.map(({ role }: { role: string }) => role)).toEqual([
      'user',
      'assistant',
      'tool',
      'assistant',
    ]);
  });

  test('usage is null when the provider does not tell', async () => {
    const { models, wsUrl, createSession } = await start();
    models.script({ steps: [{ text: 'Hi' }], usage: null });
    const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
    expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({ status: 'completed', usage: null });
  });

  const KEY = 'sk-live-4242424242424242';
  test.each([
    [401, 'Incorrect API key provided', { status: 401 }],
    [429, 'Rate limit reached', { status: 429, headers: { 'retry-after': '7' } }],
    [500, 'The server had an error', { status: 500 }],
  ])(
    'a provider that answers %i fails the run in its own words, without the key or a stack',
    async (status, words, script) => {
      const { models, url, wsUrl, createSession } = await start({ OPENAI_API_KEY: KEY });
      models.respond = () => ({ ...script, error: { message: `${words}: ${KEY}`, type: 'provider_error' } });
      const id = await createSession({ engine_type: 'ToolChatEngine' });
      const socket = await TestSocket.open(wsUrl(id));

      const result = await socket.run('prompt', { prompt: 'Hi' });
      const over = await call('POST', `${url}/api/sessions/${id}/commands`, {
        command: 'prompt',
        parameters: { prompt: 'Hi' },
      });

      expect(over.status).toBe(200);
      for (const { status: outcome, error, result: value } of [result, over.body]) {
        expect({ outcome, value, code: error.code }).toEqual({
          outcome: 'failed',
          value: null,
          code: 'MODEL_ERROR',
        });
        expect(error.message).toContain(words);
        expect(error.message).toContain(String(status));
      }
      const everything = JSON.stringify([socket.frames, over.body]);
      expect(everything).not.toContain(KEY);
      expect(everything).not.toMatch(/\.ts:|node:internal|\bat \w+ \(/);

      // The session is as good as before.
      models.respond = () => ({ steps: [{ text: 'Better now' }] });
      expect(await socket.run('prompt', { prompt: 'And now?' })).toMatchObject({
        status: 'completed',
        result: { text: 'Better now' },
      });
    },
  );

  test.each([
    ['drops the connection', { steps: [{ text: 'Half a ' }, { drop: true as const }] }],
    ['reports an error', { steps: [{ text: 'Half a ' }, { error: { message: 'overloaded' } }] }],
    ['sends what is no JSON', { steps: [{ text: 'Half a ' }, { raw: 'data: {"choices": [\n\n' }] }],
  ])(
    'a provider that %s mid-stream fails the run, and the half message is withdrawn',
    async (_what, script) => {
      const { models, url, wsUrl, createSession } = await start();
      models.script(script);
      const id = await createSession({ engine_type: 'ToolChatEngine' });
      const socket = await TestSocket.open(wsUrl(id));

      const result = await socket.run('prompt', { prompt: 'Hi' });

      expect(result).toMatchObject({ status: 'failed', result: null, error: { code: 'MODEL_ERROR' } });
      const started = await socket.findEvent('message_started');
      const discarded = await socket.findEvent('message_discarded');
      expect(discarded.data.payload).toEqual({ message_id: started.data.payload.message_id });
      expect(shapeOf(socket.events).slice(-2)).toEqual(['message_discarded', 'run_finished']);
      const { body } = await call('GET', `${url}/api/sessions/${id}/messages`);
      expect(body.messages.map(({ role }: { role: string }) => role)).toEqual(['user']);
      expect((await socket.request('history')).data).toMatchObject({ partial_message: null, runs: [] });
    },
  );

  test('cancelling ends the request to a provider that hangs', async () => {
    const { models, wsUrl, createSession } = await start();
    const gate = models.gate();
    models.script({ headersGate: gate, steps: [{ text: 'never' }] });
    const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
    const runId = randomUUID();
    const result = socket.run('prompt', { prompt: 'Hi' }, { run_id: runId });
    const request = await models.received(1);

    expect((await socket.request('cancel', { run_id: runId })).type).toBe('cancelled');

    expect(await result).toMatchObject({ status: 'cancelled', error: null });
    await request.closed;
  });
});
