import { ApiError, type Json, type JsonObject } from '@llmgine/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { demo } from '../../src/models/demo.ts';
import { DEMO_NOTICE } from '../../src/models/demo-answer.ts';
import type { ModelRequest, ToolSpec } from '../../src/models/types.ts';
import { askUserTool } from '../../src/tools/ask-user.ts';
import { createBuiltinTools } from '../../src/tools/builtin.ts';
import { ToolRegistry } from '../../src/tools/registry.ts';
import { compileSchema } from '../../src/validation/json-schema.ts';
import { modelContract } from './contract.ts';
import { RecordingSink } from './recording-sink.ts';

const NOTICE = /I am the demo model of LLMgine API.*OPENAI_API_KEY.*LLMGINE_API_MODEL/s;
const never = () => new AbortController().signal;

const registry = new ToolRegistry();
for (const tool of createBuiltinTools().tools) registry.register(tool);
const TOOLS: readonly ToolSpec[] = [
  ...registry.specs(),
  { name: 'send_mail', description: 'Sends', parameters: { type: 'object', properties: {} } },
];

function ask(prompt: string, more: Partial<ModelRequest> = {}): ModelRequest {
  return { messages: [{ role: 'user', parts: [{ type: 'text', text: prompt }] }], ...more };
}

async function answer(request: ModelRequest) {
  const sink = new RecordingSink();
  const finish = await demo().model('fast').stream(request, sink, never());
  return { sink, finish };
}

/** Goes on with a result for each call until there are no more calls. */
async function takeSteps(request: ModelRequest, resultOf: (tool: string) => Json, isError = false) {
  const steps: Awaited<ReturnType<typeof answer>>[] = [];
  const messages = [...request.messages];
  for (;;) {
    const last = await answer({ ...request, messages });
    const calls = last.sink.toolCalls;
    if (calls.length === 0) return { steps, last, messages };
    steps.push(last);
    const ids = calls.map((call) => ({ tool_call_id: call.toolCallId, tool_name: call.toolName }));
    messages.push(
      {
        role: 'assistant',
        parts: calls.map((call, n) => ({ type: 'tool_call', ...ids[n]!, arguments: call.arguments })),
      },
      {
        role: 'tool',
        parts: ids.map((id) => ({
          type: 'tool_result',
          ...id,
          result: resultOf(id.tool_name),
          is_error: isError,
        })),
      },
    );
  }
}

const ORDER: JsonObject = {
  type: 'object',
  properties: {
    article: { type: 'string' },
    pieces: { type: 'integer', minimum: 1 },
    note: { type: 'string' },
  },
  required: ['article', 'pieces'],
};

const WIRE = 'there is no provider behind the demo model';
const fast = (request: ModelRequest) => ({ model: demo().model('fast'), request });

const TEXT = {
  scene: fast(ask('write 40 words')),
  text: `${Array.from({ length: 4 }, () => 'one two three four five six seven eight nine ten').join(' ')}\n\n${DEMO_NOTICE}`,
};

modelContract({
  name: 'demo',
  reasoning: () => ({
    scene: fast(ask('what is 1 + 1?', { tools: TOOLS })),
    reasoned: 'The question needs a tool, so I call calculate.',
    next: 'toolCall',
  }),
  text: () => TEXT,
  burst: () => TEXT,
  tools: () => ({
    scene: fast(ask('What is 2 * (3+4), and what time is it in Europe/Berlin?', { tools: TOOLS })),
    calls: [
      { name: 'calculate', arguments: { expression: '2 * (3+4)' } },
      { name: 'current_time', arguments: { time_zone: 'Europe/Berlin' } },
    ],
  }),
  cut: () => fast(ask('write 40 words')),
  usage: () => ({
    scene: fast(ask('write 40 words', { system: 'be brief', maxOutputTokens: 30 })),
    usage: { input_tokens: 5, output_tokens: 30, total_tokens: 35 },
  }),
  held: () => ({ model: demo().model('slow'), request: ask('write 5000 words') }),
  silent: () => ({ model: demo().model('slow'), request: ask('Hello') }),
  failing: () => fast(ask('')),
  failingMidway: () => fast(ask('')),
  dropping: () => fast(ask('')),
  ending: () => fast(ask('')),
  garbled: () => fast(ask('')),
  refusing: () => fast(ask('')),
  overloaded: () => fast(ask('')),
  skips: {
    closed: WIRE,
    failing: WIRE,
    failingMidway: WIRE,
    overloaded: WIRE,
    dropping: WIRE,
    ending: WIRE,
    garbled: WIRE,
    refusing: 'the demo model answers everything',
  },
});

describe('the demo model', () => {
  test('answers the prompt, says what it is, and says the same again', async () => {
    const first = await answer(ask('Hello there'));
    const second = await answer(ask('Hello there'));

    expect(first.sink.said).toContain('Hello there');
    expect(first.sink.said).toMatch(NOTICE);
    expect(second.sink.calls).toEqual(first.sink.calls);
    expect(second.finish).toEqual(first.finish);
  });

  test('leaves the event loop its turns', async () => {
    let turns = 0;
    let running = true;
    const turn = () => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);

    await answer(ask('write 800 words'));
    running = false;

    expect(turns).toBeGreaterThan(50);
  });

  test('reasons before it calls a tool', async () => {
    const { sink, finish } = await answer(ask('what is 2 * (3+4)?', { tools: TOOLS }));

    expect(sink.calls[0]?.[0]).toBe('reasoning');
    expect(sink.calls.at(-1)?.[0]).toBe('toolCall');
    expect(sink.said).toBe('');
    expect(finish.usage?.reasoning_tokens).toBeGreaterThan(0);
  });

  test.each([
    ['what is 2 * (3+4) ?', '2 * (3+4)'],
    ['Please add: 12.5+7.5.', '12.5+7.5'],
    ['(How much is 2 + 2)', '2 + 2'],
    ['2 plus 3 times 4', '2 + 3 * 4'],
    ['-3 ^ 2', '-3 ^ 2'],
  ])('%s calculates %s', async (prompt, expression) => {
    const { sink } = await answer(ask(prompt, { tools: TOOLS }));

    expect(sink.toolCalls.map((call) => call.arguments)).toEqual([{ expression }]);
  });

  test.each(['I was born on 1990-01-02', 'give me 3 reasons', 'item 1. item 2.', '100% sure'])(
    '%s calls nothing',
    async (prompt) => {
      const { sink } = await answer(ask(prompt, { tools: TOOLS }));

      expect(sink.toolCalls).toEqual([]);
      expect(sink.said).toMatch(NOTICE);
    },
  );

  test.each([
    ['call send_mail {"to": "a@example.com"}', { to: 'a@example.com' }],
    ['please use the tool send_mail', {}],
  ])('%s calls the tool that it names', async (prompt, args) => {
    const { sink } = await answer(ask(prompt, { tools: TOOLS }));

    expect(sink.toolCalls).toMatchObject([{ toolName: 'send_mail', arguments: args }]);
  });

  test('calls only tools that are offered', async () => {
    const { sink, finish } = await answer(ask('what is 1 + 1, and what time is it?'));

    expect(sink.toolCalls).toEqual([]);
    expect(finish.finishReason).toBe('stop');
  });

  test('answers in words with what the tools said', async () => {
    const request = ask('what is 2 * (3+4), and what time is it?', { tools: TOOLS });
    const { sink } = await answer(request);
    const [calculate, time] = sink.toolCalls;
    const messages: ModelRequest['messages'] = [
      ...request.messages,
      {
        role: 'assistant',
        parts: sink.toolCalls.map((call) => ({
          type: 'tool_call',
          tool_call_id: call.toolCallId,
          tool_name: call.toolName,
          arguments: call.arguments,
        })),
      },
      {
        role: 'tool',
        parts: [
          {
            type: 'tool_result',
            tool_call_id: calculate?.toolCallId ?? '',
            tool_name: 'calculate',
            result: { value: 14 },
            is_error: false,
          },
          {
            type: 'tool_result',
            tool_call_id: time?.toolCallId ?? '',
            tool_name: 'current_time',
            result: 'no clock',
            is_error: true,
          },
        ],
      },
    ];

    const after = await answer({ ...request, messages });

    expect(after.sink.said).toContain('2 * (3+4) is 14.');
    expect(after.sink.said).toContain('The tool current_time failed: no clock');
    expect(after.sink.said).toMatch(NOTICE);
    expect(after.sink.toolCalls).toEqual([]);
    expect(after.finish.finishReason).toBe('stop');
  });

  test('takes one step after the other, and then tells of all of them', async () => {
    const request = ask('what is 2 * 7, then ask me for my name, then what time is it?', { tools: TOOLS });

    const { steps, last } = await takeSteps(request, (name) =>
      name === 'ask_user' ? { name: 'Ada' } : name === 'calculate' ? { value: 14 } : { local: 'noon' },
    );

    expect(steps.map(({ sink }) => sink.reasoned)).toEqual([
      'Step 1 of 3: I call calculate.',
      'Step 2 of 3: I call ask_user.',
      'Step 3 of 3: I call current_time.',
    ]);
    expect(last.sink.reasoned).toBe('After 3 steps I have it all.');
    expect(last.sink.said).toMatch(/^2 \* 7 is 14\. You told me: Ada\. It is noon\.\n/);
    expect(last.sink.said).toMatch(NOTICE);
  });

  test('a prompt after it begins anew', async () => {
    const earlier = await takeSteps(ask('what is 1 + 1?', { tools: TOOLS }), () => ({ value: 2 }));

    const { sink } = await answer({ messages: [...earlier.messages, ...ask('Hello').messages] });

    expect(sink.said).toMatch(/^You said: "Hello"/);
  });

  test('words inside the arguments of a call are no steps', async () => {
    const prompt = 'call send_mail {"text": "this, then that"} and calculate {"expression": "1"}';
    const { sink } = await answer(ask(prompt, { tools: TOOLS }));

    expect(sink.toolCalls.map((call) => call.arguments)).toEqual([
      { text: 'this, then that' },
      { expression: '1' },
    ]);
  });

  const name = { name: 'name', label: 'name', type: 'text' };
  test.each<[string, object]>([
    ['ask my name', { question: 'Please tell me your name.', fields: [name] }],
    [
      'Please ask me for my name, my age and a colour (red or blue).',
      {
        question: 'Please tell me your name, your age and a colour (red or blue).',
        fields: [
          name,
          { name: 'age', label: 'age', type: 'number' },
          { name: 'colour', label: 'colour', type: 'choice', options: ['red', 'blue'] },
        ],
      },
    ],
    [
      'ask me whether I like tea',
      {
        question: 'Please tell me whether you like tea.',
        fields: [{ name: 'yes', label: 'Yes', type: 'boolean' }],
      },
    ],
    ['Can you ask me where I live?', { question: 'Please tell me where you live.' }],
    ['ask me', { question: 'What do you want to tell me?' }],
  ])('%s is a form', async (prompt, form) => {
    const { sink } = await answer(ask(prompt, { tools: TOOLS }));

    expect(sink.toolCalls).toMatchObject([{ toolName: 'ask_user', arguments: form }]);
    expect(sink.toolCalls[0]?.arguments).toEqual(form);
  });

  test.each(['You can ask me anything', 'They ask me for money', 'I was going to ask my doctor'])(
    '%s asks nothing',
    async (prompt) => {
      const { sink } = await answer(ask(prompt, { tools: [...TOOLS] }));

      expect(sink.toolCalls).toEqual([]);
    },
  );

  test('whatever it is told to ask, the form is one that ask_user takes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 3000 }), async (text) => {
        const { sink } = await answer(ask(`ask me for my ${text}`, { tools: TOOLS }));
        for (const call of sink.toolCalls) {
          if (call.toolName !== 'ask_user') continue;
          const parsed = askUserTool.parameters.safeParse(call.arguments);
          expect(parsed.error?.issues ?? []).toEqual([]);
        }
      }),
      { numRuns: 200 },
    );
  });

  test.each<[string, Json, boolean, string]>([
    ['calculate', { value: 4 }, false, '2 + 2 is 4.'],
    [
      'calculate',
      { error: 'The call was denied; it was not executed. Reason: no' },
      true,
      'I was not allowed to call calculate: The call was denied; it was not executed. Reason: no.',
    ],
    [
      'calculate',
      { error: 'Nobody approved the call in time; it was not executed.' },
      true,
      'calculate was not called in the end: Nobody approved',
    ],
    ['ask_user', { name: 'Ada', likes_tea: true }, false, 'You told me: name Ada, likes tea yes.'],
    ['ask_user', { error: 'Nobody answered in time.' }, true, 'I got no answer: Nobody answered in time.'],
    ['send_mail', { error: 'no network' }, true, 'The tool send_mail failed: no network.'],
  ])('tells how a call of %s went: %j', async (tool, result, isError, expected) => {
    const request = ask(`call ${tool} {"expression": "2 + 2"}`, { tools: TOOLS });

    const { last } = await takeSteps(request, () => result, isError);

    expect(last.sink.said.startsWith(expected)).toBe(true);
  });

  test('calls a tool when it has to, with arguments that fit, and none when it may not', async () => {
    const tools = [{ name: 'order', description: '', parameters: ORDER }];

    const forced = await answer(ask('Hello', { tools, toolChoice: 'required' }));
    const never = await answer(ask('call order', { tools, toolChoice: 'none' }));

    expect(forced.sink.toolCalls).toMatchObject([
      { toolName: 'order', arguments: { article: 'demo', pieces: 1 } },
    ]);
    expect(never.sink.toolCalls).toEqual([]);
  });

  test('reasons about words when it is told to, and not at all when it is told not to', async () => {
    const high = await answer(ask('Hello', { reasoningEffort: 'high' }));
    const none = await answer(ask('what is 1 + 1?', { tools: TOOLS, reasoningEffort: 'none' }));

    expect(high.sink.reasoned).not.toBe('');
    expect(none.sink.reasoned).toBe('');
    expect(none.sink.toolCalls).toHaveLength(1);
  });

  test.each<[string, JsonObject, Json]>([
    ['an object', ORDER, { article: 'demo', pieces: 1 }],
    ['an array', { type: 'array', items: { type: 'boolean' }, minItems: 2 }, [false, false]],
    ['a choice', { enum: ['red', 'blue'] }, 'red'],
    ['a nullable', { anyOf: [{ type: 'null' }, { type: 'string' }] }, null],
    ['a reference', { $ref: '#/$defs/a', $defs: { a: { type: 'string', minLength: 6 } } }, 'demo..'],
    ['a number', { type: 'number', exclusiveMinimum: 0, maximum: 0.5 }, 0.5],
    ['an even integer', { type: 'integer', minimum: 3, multipleOf: 2 }, 4],
    ['a date', { type: 'string', format: 'date' }, '2026-01-01'],
    [
      'parts',
      { allOf: [ORDER], required: ['x'], properties: { x: { const: 1 } } },
      { article: 'demo', pieces: 1, x: 1 },
    ],
  ])('answers with JSON where that is wanted: %s', async (_name, schema, value) => {
    const { sink } = await answer(ask('Hello', { responseFormat: { name: 'answer', schema } }));

    expect(JSON.parse(sink.said)).toEqual(value);
    expect(compileSchema(schema)(value)).toEqual([]);
  });

  test('a schema without an end, and one that asks for very much, have an answer all the same', async () => {
    const again: JsonObject = { $ref: '#' };
    const many: JsonObject = { type: 'array', minItems: 1000, items: { $ref: '#' } };

    for (const schema of [again, many]) {
      const { sink } = await answer(ask('Hello', { responseFormat: { name: 'answer', schema } }));
      expect(sink.said.length).toBeLessThan(100_000);
    }
  });

  test('gives calls of later steps other ids', async () => {
    const request = ask('what is 1 + 1?', { tools: TOOLS });
    const earlier: ModelRequest['messages'] = [
      {
        role: 'assistant',
        parts: [{ type: 'tool_call', tool_call_id: 'demo_call_1', tool_name: 'x', arguments: {} }],
      },
    ];

    const { sink } = await answer({ ...request, messages: [...earlier, ...request.messages] });

    expect(sink.toolCalls[0]?.toolCallId).toBe('demo_call_2');
  });

  test.each([
    [undefined, 'Translate to French: Good morning', '[French] Good morning'],
    [undefined, "Please translate 'I want to go' to German", '[German] I want to go'],
    [undefined, 'Translate the following from English into Spanish:\n\nHello: you', '[Spanish] Hello: you'],
    ['You translate what the user says to Italian. Add nothing to it.', 'Good night', '[Italian] Good night'],
  ])('translates: %s %s', async (system, prompt, expected) => {
    const { sink } = await answer(ask(prompt, system === undefined ? {} : { system }));

    expect(sink.said.startsWith(`${expected}\n`)).toBe(true);
    expect(sink.said).toMatch(NOTICE);
  });

  test('has three speeds and no other names', () => {
    expect(demo().model('').id).toBe('demo:demo');
    expect(demo().model('fast').id).toBe('demo:fast');
    expect(() => demo().model('gpt')).toThrow(ApiError);
  });
});
