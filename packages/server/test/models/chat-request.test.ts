import { describe, expect, test } from 'vitest';
import { chatRequestBody, maxTokensField } from '../../src/models/chat-request.ts';
import { prepareConversation, type Turn } from '../../src/models/conversation.ts';
import type { ModelRequest } from '../../src/models/types.ts';

const user = (text: string): Turn => ({ role: 'user', parts: [{ type: 'text', text }] });
const call = (id: string, args = {}): Turn['parts'][number] => ({
  type: 'tool_call',
  tool_call_id: id,
  tool_name: 'add',
  arguments: args,
});
const result = (id: string, value: string): Turn['parts'][number] => ({
  type: 'tool_result',
  tool_call_id: id,
  tool_name: 'add',
  result: value,
  is_error: false,
});
const wire = (...messages: Turn[]) =>
  JSON.parse(chatRequestBody('m', { messages }, { provider: 'own', maxTokens: 'max_tokens' })).messages;

describe('a conversation on its way to a provider', () => {
  test('has no reasoning and no empty messages', () => {
    const messages: Turn[] = [
      user('Hello'),
      { role: 'assistant', parts: [{ type: 'reasoning', text: 'Hm' }] },
      { role: 'assistant', parts: [] },
    ];

    expect(prepareConversation(messages)).toEqual([user('Hello')]);
  });

  test('has one result for each call, right after it, also for calls that were interrupted', () => {
    const messages: Turn[] = [
      { role: 'assistant', parts: [call('a'), call('b')] },
      { role: 'tool', parts: [result('b', 'two'), result('nobody', 'asked')] },
      user('again'),
      { role: 'assistant', parts: [call('a')] },
      { role: 'tool', parts: [result('a', 'three')] },
    ];

    const prepared = prepareConversation(messages);

    expect(prepared.map(({ role }) => role)).toEqual(['assistant', 'tool', 'user', 'assistant', 'tool']);
    expect(prepared[1]?.parts).toMatchObject([
      { tool_call_id: 'a', is_error: true, result: expect.stringMatching(/interrupted/) },
      { tool_call_id: 'b', is_error: false, result: 'two' },
    ]);
    expect(prepared[4]?.parts).toMatchObject([{ tool_call_id: 'a', result: 'three' }]);
  });
});

test('tools have names that providers take, whatever a model has called', () => {
  const odd = (tool_name: string) => ({ ...call('a'), tool_name }) as Turn['parts'][number];
  const names = ['add', 'functions.add', ' ', 'x'.repeat(70), ''].map((name) =>
    prepareConversation([
      { role: 'assistant', parts: [odd(name)] },
      { role: 'tool', parts: [{ ...result('a', 'no'), tool_name: name } as Turn['parts'][number]] },
    ]).flatMap(({ parts }) => parts.map((part) => ('tool_name' in part ? part.tool_name : ''))),
  );

  const clean = ['add', 'functions_add', '_', 'x'.repeat(64), 'unknown'];
  expect(names).toEqual(clean.map((name) => [name, name]));
});

test.each([['{"n": 1, "te'], [[1]], [null], [7]])(
  'arguments of a call that are no object go as none: %j',
  (args) => {
    const broken = { type: 'tool_call', tool_call_id: 'a', tool_name: 'add', arguments: args } as const;
    const messages: Turn[] = [
      { role: 'assistant', parts: [broken] },
      { role: 'tool', parts: [result('a', 'no')] },
    ];

    expect(prepareConversation(messages)[0]?.parts).toEqual([call('a')]);
    expect(wire(...messages)[0].tool_calls[0].function.arguments).toBe('{}');
  },
);

describe('on the wire', () => {
  test('calls and results have the form of the provider', () => {
    const messages = wire(
      { role: 'assistant', parts: [{ type: 'text', text: 'Let me see' }, call('a', { n: 1 }), call('b')] },
      {
        role: 'tool',
        parts: [
          { type: 'tool_result', tool_call_id: 'a', tool_name: 'add', result: { n: 2 }, is_error: false },
          { type: 'tool_result', tool_call_id: 'b', tool_name: 'add', result: 'no', is_error: true },
        ],
      },
    );

    expect(messages).toEqual([
      {
        role: 'assistant',
        content: 'Let me see',
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'add', arguments: '{"n":1}' } },
          { id: 'b', type: 'function', function: { name: 'add', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: '{"n":2}' },
      { role: 'tool', tool_call_id: 'b', content: 'Error: no' },
    ]);
  });

  test('images go along, texts are read, and of other files the model is told', () => {
    const [message] = wire({
      role: 'user',
      parts: [
        { type: 'text', text: 'Look' },
        { type: 'file', mime_type: 'image/png', data: 'AAAA' },
        { type: 'file', mime_type: 'image/png', url: 'https://example.com/a.png' },
        {
          type: 'file',
          mime_type: 'text/plain',
          name: 'a.txt',
          data: Buffer.from('Grüße').toString('base64'),
        },
        { type: 'file', mime_type: 'application/zip', name: 'a.zip', data: 'AAAA' },
        { type: 'file', mime_type: 'image/png', url: 'file:///etc/passwd' },
      ],
    });

    expect(message.content).toEqual([
      { type: 'text', text: 'Look' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
      { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
      { type: 'text', text: 'The file "a.txt" (text/plain):\nGrüße' },
      { type: 'text', text: expect.stringMatching(/"a\.zip".*cannot be shown/) },
      { type: 'text', text: expect.stringMatching(/cannot be shown/) },
    ]);
  });

  test('the limit of tokens has the name that the host knows', () => {
    expect(maxTokensField(new URL('https://api.openai.com/v1'))).toBe('max_completion_tokens');
    expect(maxTokensField(new URL('https://me.openai.azure.com/openai/v1'))).toBe('max_completion_tokens');
    expect(maxTokensField(new URL('http://localhost:11434/v1'))).toBe('max_tokens');
  });
});

describe('what the server wants back', () => {
  const reasoned = (text: string, field = 'reasoning_content'): Turn['parts'][number] => ({
    type: 'reasoning',
    text,
    provider_metadata: { own: { field } },
  });
  const said = (model: string, ...parts: Turn['parts']): Turn => ({
    role: 'assistant',
    parts,
    metadata: { model },
  });

  test('is its reasoning under the name under which it came, for as long as tools are called', () => {
    const messages = wire(
      user('Hi'),
      said('own:m', reasoned('old'), call('a')),
      { role: 'tool', parts: [result('a', 'one')] },
      said('own:m', reasoned('old'), { type: 'text', text: 'Yes' }),
      user('And?'),
      said('own:m', reasoned('Hm, '), reasoned('so', 'reasoning'), reasoned('?'), call('b')),
      { role: 'tool', parts: [result('b', 'two')] },
    );

    expect(messages.map((message: object) => Object.keys(message))).toEqual([
      ['role', 'content'],
      ['role', 'content', 'tool_calls'],
      ['role', 'tool_call_id', 'content'],
      ['role', 'content'],
      ['role', 'content'],
      ['role', 'content', 'reasoning_content', 'reasoning', 'tool_calls'],
      ['role', 'tool_call_id', 'content'],
    ]);
    expect(messages[5]).toMatchObject({ reasoning_content: 'Hm, ?', reasoning: 'so' });
  });

  test('is what came with a tool call, also in later turns', () => {
    const extra = { google: { thought_signature: 's' } };
    const signed = {
      ...call('a'),
      provider_metadata: { own: { extra_content: extra } },
    } as Turn['parts'][number];

    const messages = wire(
      user('Hi'),
      said('own:m', signed),
      { role: 'tool', parts: [result('a', 'one')] },
      user('And?'),
    );

    expect(messages[1].tool_calls).toEqual([
      { id: 'a', type: 'function', function: { name: 'add', arguments: '{}' }, extra_content: extra },
    ]);
  });

  test('is nothing that another provider has said', () => {
    const messages = wire(user('Hi'), said('other:m', reasoned('Hm'), call('a')), {
      role: 'tool',
      parts: [result('a', 'one')],
    });

    expect(JSON.stringify(messages)).not.toMatch(/Hm|reasoning/);
  });
});

test('settings have the names of the wire, and are there only when they are set', () => {
  const body = (request: Partial<ModelRequest>) =>
    JSON.parse(
      chatRequestBody(
        'm',
        { messages: [user('Hi')], ...request },
        { provider: 'own', maxTokens: 'max_tokens' },
      ),
    );
  const schema = { type: 'object', properties: {} };
  const tools = [{ name: 'add', description: 'Adds', parameters: schema }];

  expect(
    body({ tools, toolChoice: 'required', reasoningEffort: 'low', responseFormat: { name: 'x', schema } }),
  ).toMatchObject({
    tool_choice: 'required',
    reasoning_effort: 'low',
    response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
  });
  for (const request of [{ toolChoice: 'required' }, { tools, toolChoice: 'none' }] as const) {
    expect(Object.keys(body(request))).toEqual(['model', 'messages', 'stream', 'stream_options']);
  }
});
