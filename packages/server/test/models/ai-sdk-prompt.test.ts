import { describe, expect, test } from 'vitest';
import { callOptions, type PromptOptions } from '../../src/models/ai-sdk-prompt.ts';
import type { Turn } from '../../src/models/conversation.ts';
import type { ModelRequest } from '../../src/models/types.ts';

const OWN = { model: 'own:m' };
const SIGNED = { own: { signature: 's' } };

const user = (text: string): Turn => ({ role: 'user', parts: [{ type: 'text', text }] });
const called = (id: string, more: Partial<Turn> = {}): Turn => ({
  role: 'assistant',
  parts: [{ type: 'tool_call', tool_call_id: id, tool_name: 'add', arguments: {} }],
  ...more,
});
const result = (id: string): Turn => ({
  role: 'tool',
  parts: [{ type: 'tool_result', tool_call_id: id, tool_name: 'add', result: id, is_error: false }],
});

function options(request: Partial<ModelRequest>, more: Partial<PromptOptions> = {}) {
  const signal = new AbortController().signal;
  return callOptions({ messages: [user('Hi')], ...request }, signal, { provider: 'own', ...more });
}

function prompt(messages: readonly Turn[], more: Partial<PromptOptions> = {}) {
  return options({ messages }, more).prompt;
}

describe('what a provider wants back', () => {
  const parts: Turn['parts'] = [
    { type: 'reasoning', text: 'Hm', provider_metadata: SIGNED },
    { type: 'reasoning', text: '', provider_metadata: { own: { redacted: 'x' } } },
    { type: 'reasoning', text: 'unsigned' },
    { type: 'text', text: 'Yes', provider_metadata: SIGNED },
    {
      type: 'tool_call',
      tool_call_id: 'a',
      tool_name: 'add',
      arguments: {},
      provider_metadata: SIGNED,
    },
  ];

  test('goes back to it, piece by piece', () => {
    const [, assistant] = prompt([user('Hi'), { role: 'assistant', parts, metadata: OWN }, result('a')]);

    expect(assistant?.content).toEqual([
      { type: 'reasoning', text: 'Hm', providerOptions: SIGNED },
      { type: 'reasoning', text: '', providerOptions: { own: { redacted: 'x' } } },
      { type: 'text', text: 'Yes', providerOptions: SIGNED },
      { type: 'tool-call', toolCallId: 'a', toolName: 'add', input: {}, providerOptions: SIGNED },
    ]);
  });

  test.each([{ model: 'other:m' }, { model: 'own2:m' }, {}])('goes to no other: %j', (metadata) => {
    const [, assistant] = prompt([user('Hi'), { role: 'assistant', parts, metadata }, result('a')]);

    expect(assistant?.content).toEqual([
      { type: 'text', text: 'Yes' },
      { type: 'tool-call', toolCallId: 'a', toolName: 'add', input: {} },
    ]);
  });

  test('is dropped when nothing came of it', () => {
    const reasoned = { type: 'reasoning', text: 'Hm', provider_metadata: SIGNED } as const;

    const [, first, , last] = prompt([
      user('Hi'),
      { role: 'assistant', parts: [{ type: 'text', text: 'Yes' }, reasoned], metadata: OWN },
      user('And?'),
      { role: 'assistant', parts: [reasoned], metadata: OWN },
    ]);

    expect(first?.content).toEqual([{ type: 'text', text: 'Yes' }]);
    expect(last).toBeUndefined();
  });
});

describe('a conversation', () => {
  test('has no id of a tool call twice, and none that some provider does not take', () => {
    const made = prompt([
      user('Hi'),
      called('call_1'),
      result('call_1'),
      user('Again'),
      called('call_1'),
      result('call_1'),
      called('functions.add:0'),
      result('functions.add:0'),
    ]);

    const ids = made.flatMap(({ content }) =>
      typeof content === 'string' ? [] : content.flatMap((part) => ('toolCallId' in part ? [part] : [])),
    );
    expect(ids.map(({ toolCallId }) => toolCallId)).toEqual([
      'call_1',
      'call_1',
      'call_1_2',
      'call_1_2',
      'call_functions_add_0',
      'call_functions_add_0',
    ]);
  });

  test('begins with a person, also when the assistant has greeted', () => {
    const greeting: Turn = { role: 'assistant', parts: [{ type: 'text', text: 'Welcome' }] };

    const made = options({ system: 'Be brief', messages: [greeting, user('Hi')] }).prompt;

    expect(made.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
  });

  test('has system messages only at its beginning', () => {
    const system: Turn = { role: 'system', parts: [{ type: 'text', text: 'A summary' }] };

    expect(prompt([system, user('Hi'), system]).map(({ role }) => role)).toEqual(['system', 'user', 'user']);
  });

  test('has no empty texts: some providers refuse them', () => {
    const blank: Turn = { role: 'assistant', parts: [{ type: 'text', text: ' \n' }] };

    const made = options({ system: ' ', messages: [user('Hi'), blank, user('  ')] }).prompt;

    expect(made.map(({ content }) => content)).toEqual([
      [{ type: 'text', text: 'Hi' }],
      [{ type: 'text', text: '(an empty message)' }],
    ]);
  });
});

describe('settings', () => {
  test('go in the words of the SDK, and only when they are set', () => {
    const tools = [{ name: 'add', description: 'Adds', parameters: { type: 'object' } }];
    const schema = { type: 'object', properties: {} };

    expect(
      options({
        tools,
        toolChoice: 'required',
        reasoningEffort: 'low',
        responseFormat: { name: 'x', schema },
      }),
    ).toMatchObject({
      toolChoice: { type: 'required' },
      reasoning: 'low',
      responseFormat: { type: 'json', name: 'x', schema },
    });
    expect(Object.keys(options({ toolChoice: 'required' }))).toEqual(['prompt', 'abortSignal']);
  });

  test('keep the tools where none is to be called', () => {
    const tools = [{ name: 'add', description: 'Adds', parameters: { type: 'object' } }];

    expect(options({ tools, toolChoice: 'none' })).toMatchObject({
      tools: [{ type: 'function', name: 'add' }],
      toolChoice: { type: 'none' },
    });
  });

  test('name the tools that were called where the provider wants them and the request has none', () => {
    const messages = [user('Hi'), called('a'), result('a'), called('b'), result('b')];

    const made = options({ messages }, { needsToolsOfCalls: true });

    expect(made.tools).toEqual([expect.objectContaining({ type: 'function', name: 'add' })]);
    expect(made.toolChoice).toEqual({ type: 'none' });
    expect(options({ messages }).tools).toBeUndefined();
    expect(options({}, { needsToolsOfCalls: true }).tools).toBeUndefined();
  });

  test('of the provider go along', () => {
    const made = options({}, { providerOptions: () => ({ own: { ping: true } }) });

    expect(made.providerOptions).toEqual({ own: { ping: true } });
  });

  test.each([
    ['calls of another model', called('a', { metadata: { model: 'other:m' } }), undefined],
    ['calls without reasoning', called('a', { metadata: OWN }), undefined],
    [
      'calls with its own reasoning',
      {
        ...called('a', { metadata: OWN }),
        parts: [{ type: 'reasoning', text: 'Hm', provider_metadata: SIGNED } as const, ...called('a').parts],
      },
      'low',
    ],
  ])('do not make it reason on after %s where it would refuse that', (_, turn, expected) => {
    const request = { messages: [user('Hi'), turn, result('a')], reasoningEffort: 'low' as const };

    expect(options(request, { reasonsFromTheStart: true }).reasoning).toBe(expected);
    expect(options(request).reasoning).toBe('low');
  });

  test('do not make it reason where it has to call a tool and would refuse to', () => {
    const request = { toolChoice: 'required', reasoningEffort: 'low' } as const;

    expect(options(request, { reasonsFromTheStart: true }).reasoning).toBeUndefined();
    expect(options(request).reasoning).toBe('low');
  });
});

test('a file goes along where the provider reads its type, and is named where it does not', () => {
  const files: Turn['parts'] = [
    { type: 'file', mime_type: 'application/pdf', data: 'AAAA', name: 'a.pdf' },
    { type: 'file', mime_type: 'application/pdf', url: 'https://example.com/b.pdf', name: 'b.pdf' },
    { type: 'file', mime_type: 'image/png', url: 'data:image/png;base64,BBBB' },
    { type: 'file', mime_type: 'image/png', url: 'file:///etc/passwd' },
    { type: 'file', mime_type: 'image/png', data: '' },
    { type: 'file', mime_type: 'text/plain', data: Buffer.from('Grüße').toString('base64'), name: 'c.txt' },
  ];
  const readsFile = (type: string, source: string) => type !== 'application/pdf' || source === 'data';

  const [message] = prompt([{ role: 'user', parts: files }], { readsFile });

  expect(message?.content).toEqual([
    {
      type: 'file',
      mediaType: 'application/pdf',
      data: { type: 'data', data: 'AAAA' },
      filename: 'a.pdf',
    },
    { type: 'text', text: expect.stringMatching(/"b\.pdf".*cannot be shown/) },
    { type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'BBBB' } },
    { type: 'text', text: expect.stringMatching(/cannot be shown/) },
    { type: 'text', text: expect.stringMatching(/cannot be shown/) },
    { type: 'text', text: 'The file "c.txt" (text/plain):\nGrüße' },
  ]);
});
