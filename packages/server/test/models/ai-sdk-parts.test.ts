import type { LanguageModelV4StreamPart } from '@ai-sdk/provider';
import { expect, test } from 'vitest';
import { AiSdkParts } from '../../src/models/ai-sdk-parts.ts';
import { RecordingSink } from './recording-sink.ts';

function put(...parts: LanguageModelV4StreamPart[]): RecordingSink {
  const sink = new RecordingSink();
  const reader = new AiSdkParts(sink);
  for (const part of parts) reader.put(part);
  return sink;
}

test('a signature that comes after reasoning belongs to it', () => {
  const sink = put(
    { type: 'reasoning-start', id: '0' },
    { type: 'reasoning-delta', id: '0', delta: 'Hm' },
    { type: 'reasoning-delta', id: '0', delta: '', providerMetadata: { own: { signature: 's' } } },
    { type: 'reasoning-end', id: '0' },
    { type: 'text-delta', id: '1', delta: 'Yes' },
  );

  expect(sink.calls).toEqual([
    ['reasoning', 'Hm'],
    ['text', 'Yes'],
  ]);
  expect(sink.metadatas).toEqual([{ kind: 'reasoning', metadata: { own: { signature: 's' } }, after: 1 }]);
});

test('reasoning that the provider keeps to itself is metadata alone', () => {
  const sink = put(
    { type: 'reasoning-start', id: '0', providerMetadata: { own: { redacted: 'x' } } },
    { type: 'reasoning-end', id: '0' },
  );

  expect(sink.calls).toEqual([]);
  expect(sink.metadatas).toEqual([{ kind: 'reasoning', metadata: { own: { redacted: 'x' } }, after: 0 }]);
});

test('what the beginning and the end of a block say is put once, at its end', () => {
  const sink = put(
    { type: 'text-start', id: '0', providerMetadata: { own: { item: 1 } } },
    { type: 'text-delta', id: '0', delta: 'Yes' },
    { type: 'text-end', id: '0', providerMetadata: { own: { phase: 2 }, more: { a: 1 } } },
  );

  expect(sink.metadatas).toEqual([
    { kind: 'text', metadata: { own: { item: 1, phase: 2 }, more: { a: 1 } }, after: 1 },
  ]);
});

test('a signature in the middle of a text is put where it is', () => {
  const signed = { own: { signature: 's' } };
  const sink = put(
    { type: 'text-start', id: '0', providerMetadata: signed },
    { type: 'text-delta', id: '0', delta: 'One', providerMetadata: signed },
    { type: 'text-delta', id: '0', delta: 'Two' },
    { type: 'text-end', id: '0' },
  );

  expect(sink.metadatas).toEqual([{ kind: 'text', metadata: signed, after: 1 }]);
});

test('a tool call brings its metadata along', () => {
  const { toolCalls } = put({
    type: 'tool-call',
    toolCallId: 'c',
    toolName: 'add',
    input: '{"a":1}',
    providerMetadata: { own: { signature: 's' } },
  });

  expect(toolCalls).toEqual([
    { toolCallId: 'c', toolName: 'add', arguments: { a: 1 }, providerMetadata: { own: { signature: 's' } } },
  ]);
});

test('arguments without an end are an error that no other model mends', () => {
  const reader = new AiSdkParts(new RecordingSink());
  const delta = 'x'.repeat(1024 * 1024);
  const flood = () => {
    for (let n = 0; n < 9; n++) reader.put({ type: 'tool-input-delta', id: 'c', delta });
  };

  expect(flood).toThrow(expect.objectContaining({ code: 'MODEL_ERROR', remedy: 'nothing' }));
});

test('so is metadata without an end, of which the sink refuses none', () => {
  const reader = new AiSdkParts(new RecordingSink());
  const providerMetadata = { own: { redacted: 'x'.repeat(1024 * 1024) } };
  const flood = () => {
    for (let n = 0; n < 9; n++) reader.put({ type: 'reasoning-end', id: String(n), providerMetadata });
  };

  expect(flood).toThrow(expect.objectContaining({ code: 'MODEL_ERROR', remedy: 'nothing' }));
});
