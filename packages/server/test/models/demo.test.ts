import { ApiError } from '@llmgine/protocol';
import { describe, expect, test } from 'vitest';
import { demo } from '../../src/models/demo.ts';
import { DEMO_NOTICE } from '../../src/models/demo-answer.ts';
import type { ModelRequest, ToolSpec } from '../../src/models/types.ts';
import { BUILTIN_TOOLS } from '../../src/tools/builtin.ts';
import { ToolRegistry } from '../../src/tools/registry.ts';
import { modelContract } from './contract.ts';
import { RecordingSink } from './recording-sink.ts';

const NOTICE = /I am the demo model of LLMgine API.*OPENAI_API_KEY.*LLMGINE_API_MODEL/s;
const never = () => new AbortController().signal;

const registry = new ToolRegistry();
for (const tool of BUILTIN_TOOLS) registry.register(tool);
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
  skips: { closed: WIRE, failing: WIRE, failingMidway: WIRE, dropping: WIRE, ending: WIRE, garbled: WIRE },
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
