/** The model servers refuse what the real providers refuse: without that, tests before them prove little. */
import { describe, expect, test } from 'vitest';
import { validateAnthropic } from './anthropic-server-rules.ts';
import { validateGemini } from './gemini-server-rules.ts';
import { validateOpenAI } from './model-server-rules.ts';

describe('OpenAI', () => {
  const hello = { role: 'user', content: 'Hi' };
  const calls = (...ids: string[]) => ({
    role: 'assistant',
    content: null,
    tool_calls: ids.map((id) => ({ id, type: 'function', function: { name: 'add', arguments: '{}' } })),
  });
  const answer = (id: string) => ({ role: 'tool', tool_call_id: id, content: 'ok' });
  const tool = (parameters: object) => ({
    tools: [{ type: 'function', function: { name: 'a', parameters } }],
  });
  const complaints = (messages: unknown, more: object = {}) =>
    validateOpenAI({ model: 'm', messages, ...more });

  test('takes a conversation with parallel calls', () => {
    expect(complaints([hello, calls('a', 'b'), answer('b'), answer('a'), hello])).toEqual([]);
  });

  test.each<[string, unknown, object, RegExp]>([
    ['no messages', [], {}, /too short - 'messages'/],
    ['a call without its result', [hello, calls('a', 'b'), answer('a')], {}, /did not have response.*: b/],
    ['a result too late', [hello, calls('a'), hello, answer('a')], {}, /must be a response/],
    ['a result of nothing', [hello, answer('a')], {}, /must be a response/],
    ['a result twice', [hello, calls('a'), answer('a'), answer('a')], {}, /must be a response/],
    ['ids twice', [hello, calls('a', 'a'), answer('a')], {}, /Duplicate/],
    ['no calls', [hello, calls()], {}, /too short/],
    ['no content', [{ role: 'user', content: null }], {}, /expected a string, got null/],
    ['an empty list', [{ role: 'user', content: [] }], {}, /too short/],
    ['a role of its own', [{ role: 'robot', content: 'Hi' }], {}, /Invalid value: 'robot'/],
    ['a choice without tools', [hello], { tool_choice: 'auto' }, /only allowed when 'tools'/],
    ['an empty list of tools', [hello], { tools: [] }, /too short - 'tools'/],
    ['a tool without properties', [hello], tool({ type: 'object' }), /missing properties/],
    [
      'a tool with a choice',
      [hello],
      tool({ type: 'object', properties: {}, oneOf: [] }),
      /not have 'oneOf'/,
    ],
    ['an unknown format', [hello], { response_format: { type: 'json_schema' } }, /response_format/],
  ])('refuses %s', (_, messages, more, reason) => {
    expect(complaints(messages, more).join()).toMatch(reason);
  });
});

describe('Anthropic', () => {
  const hello = { role: 'user', content: 'Hi' };
  const uses = (...ids: string[]) => ({
    role: 'assistant',
    content: ids.map((id) => ({ type: 'tool_use', id, name: 'add', input: {} })) as object[],
  });
  const results = (...ids: string[]) => ({
    role: 'user',
    content: ids.map((tool_use_id) => ({ type: 'tool_result', tool_use_id, content: 'ok' })) as object[],
  });
  const thinking = { type: 'thinking', thinking: 'Hm', signature: 's' };
  const on = { thinking: { type: 'enabled', budget_tokens: 1024 }, max_tokens: 2048 };
  const add = { name: 'add', input_schema: { type: 'object' } };
  const complaints = (messages: unknown, more: object = {}) =>
    validateAnthropic(
      { model: 'm', max_tokens: 9, messages, tools: [add], ...more },
      (text, sign) => text === 'Hm' && sign === 's',
    );
  const reasoned = { role: 'assistant', content: [thinking, ...uses('a').content] };

  test('takes a conversation with parallel calls and signed reasoning', () => {
    expect(complaints([hello, uses('a', 'b'), results('a', 'b'), hello])).toEqual([]);
    expect(complaints([hello, reasoned, results('a')], on)).toEqual([]);
    expect(complaints([hello], { tools: undefined })).toEqual([]);
  });

  test.each<[string, unknown, object, RegExp]>([
    ['no messages', [], {}, /at least one message/],
    ['an assistant first', [uses('a'), results('a')], {}, /first message must use the "user" role/],
    ['a call without its result', [hello, uses('a', 'b'), results('a')], {}, /without `tool_result`.*: b/],
    [
      'a result too late',
      [hello, uses('a'), hello, uses('b'), results('a', 'b')],
      {},
      /without `tool_result`/,
    ],
    ['a result of nothing', [hello, uses('a'), results('a', 'x')], {}, /unexpected `tool_use_id`.*: x/],
    [
      'a text before the results',
      [hello, uses('a'), { role: 'user', content: [{ type: 'text', text: 'So' }, ...results('a').content] }],
      {},
      /without `tool_result`/,
    ],
    ['an id twice', [hello, uses('a'), results('a'), uses('a'), results('a')], {}, /must be unique/],
    ['an id with a colon', [hello, uses('a:0'), results('a:0')], {}, /should match pattern/],
    [
      'a tool with a choice',
      [hello],
      { tools: [{ ...add, input_schema: { type: 'object', anyOf: [{}] } }] },
      /does not support oneOf, allOf, or anyOf/,
    ],
    ['calls without tools', [hello, uses('a'), results('a')], { tools: undefined }, /must define tools/],
    ['an empty text', [{ role: 'user', content: '' }], {}, /must be non-empty/],
    ['a blank text', [{ role: 'user', content: ' ' }], {}, /non-whitespace/],
    ['no content', [{ role: 'user', content: [] }], {}, /non-empty content/],
    ['a role of its own', [hello, { role: 'system', content: 'Hi' }], {}, /Unexpected role/],
    [
      'reasoning without a signature',
      [hello, { role: 'assistant', content: [{ type: 'thinking', thinking: 'Hm' }] }],
      {},
      /signature: Field required/,
    ],
    [
      'reasoning that was changed',
      [
        hello,
        {
          role: 'assistant',
          content: [
            { ...thinking, thinking: 'Hm!' },
            { type: 'text', text: 'So' },
          ],
        },
      ],
      {},
      /Invalid `signature`/,
    ],
    [
      'reasoning that nothing came of',
      [hello, { role: 'assistant', content: [thinking] }, hello],
      {},
      /final block.*cannot be `thinking`/,
    ],
    [
      'a loop that began without reasoning',
      [hello, uses('a'), results('a')],
      on,
      /must start with a thinking block/,
    ],
    [
      'a budget above the limit',
      [hello],
      { ...on, max_tokens: 1000 },
      /greater than `thinking.budget_tokens`/,
    ],
    ['a temperature with reasoning', [hello], { ...on, temperature: 0 }, /may only be set to 1/],
  ])('refuses %s', (_, messages, more, reason) => {
    expect(complaints(messages, more).join()).toMatch(reason);
  });
});

describe('Gemini', () => {
  const hello = { role: 'user', parts: [{ text: 'Hi' }] };
  const calls = (...names: string[]) => ({
    role: 'model',
    parts: names.map((name) => ({ functionCall: { name, args: {} } })) as object[],
  });
  const responses = (...names: string[]) => ({
    role: 'user',
    parts: names.map((name) => ({ functionResponse: { name, response: { ok: true } } })) as object[],
  });
  const signed = { role: 'model', parts: [{ functionCall: { name: 'a', args: {} }, thoughtSignature: 's' }] };
  const complaints = (contents: unknown, needsSignatures = false) =>
    validateGemini({ contents }, { needsSignatures, isSigned: (signature) => signature === 's' });

  test('takes a conversation with parallel calls and signatures', () => {
    expect(complaints([hello, calls('a', 'b'), responses('b', 'a'), hello])).toEqual([]);
    expect(complaints([hello, signed, responses('a')], true)).toEqual([]);
    // Only the current turn has to be signed.
    expect(complaints([hello, calls('a'), responses('a'), hello, signed, responses('a')], true)).toEqual([]);
  });

  test.each<[string, unknown, RegExp]>([
    ['no contents', [], /contents is not specified/],
    ['a call without its response', [hello, calls('a', 'b'), responses('a')], /number of function response/],
    ['a response of nothing', [hello, responses('a')], /immediately after a function call turn/],
    [
      'a response too late',
      [hello, calls('a'), hello, calls('b'), responses('b')],
      /number of function response/,
    ],
    ['a call first', [calls('a'), responses('a')], /immediately after a user turn/],
    ['a model last', [hello, { role: 'model', parts: [{ text: 'So' }] }], /end with a user role/],
    ['no parts', [{ role: 'user', parts: [] }], /must not be empty/],
    ['an empty text', [{ role: 'user', parts: [{ text: '' }] }], /empty text/],
    ['two kinds in one part', [{ role: 'user', parts: [{ text: 'a', fileData: {} }] }], /oneof field/],
    ['a role of its own', [{ role: 'tool', parts: [{ text: 'a' }] }], /valid role/],
    [
      'a response that is no object',
      [hello, calls('a'), { role: 'user', parts: [{ functionResponse: { name: 'a', response: 'ok' } }] }],
      /Struct/,
    ],
    [
      'a signature of somebody else',
      [hello, { role: 'model', parts: [{ text: 'So', thoughtSignature: 'x' }] }, hello],
      /Corrupted thought signature/,
    ],
  ])('refuses %s', (_, contents, reason) => {
    expect(complaints(contents).join()).toMatch(reason);
  });

  test('of the third generation refuses a call without its signature', () => {
    expect(complaints([hello, calls('a'), responses('a')], true).join()).toMatch(
      /missing a thought_signature/,
    );
  });
});
