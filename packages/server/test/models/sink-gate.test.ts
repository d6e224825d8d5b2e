import { expect, test } from 'vitest';
import { SinkGate } from '../../src/models/sink-gate.ts';
import { RecordingSink } from './recording-sink.ts';

test('pieces and their metadata keep their order while the sink is full', async () => {
  const sink = new RecordingSink();
  sink.isFull = (calls) => calls === 1 || calls === 3;
  const order: string[] = [];
  const emptied = Promise.withResolvers<void>();
  const gate = new SinkGate(sink, {
    pause: () => order.push('pause'),
    resume: () => order.push('resume'),
    fail: emptied.reject,
  });

  gate.reasoning('Hm');
  gate.metadata('reasoning', { own: 1 });
  gate.text('Yes');
  gate.metadata('text', { own: 2 });
  gate.toolCall({ toolCallId: 'c', toolName: 'add', arguments: {} });
  gate.whenEmpty(emptied.resolve);
  expect(sink.metadatas).toEqual([]);
  sink.empty();
  await emptied.promise;

  expect(sink.calls.map(([kind]) => kind)).toEqual(['reasoning', 'text', 'toolCall']);
  expect(sink.metadatas).toEqual([
    { kind: 'reasoning', metadata: { own: 1 }, after: 1 },
    { kind: 'text', metadata: { own: 2 }, after: 2 },
  ]);
});

test('nothing reaches the sink after the gate is closed', () => {
  const sink = new RecordingSink();
  const gate = new SinkGate(sink, { pause: () => {}, resume: () => {}, fail: () => {} });

  gate.close();
  gate.text('late');
  gate.metadata('text', { own: 1 });

  expect([sink.calls, sink.metadatas]).toEqual([[], []]);
});
