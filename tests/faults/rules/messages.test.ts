import { allows, finds } from '../sample.ts';

finds(
  'a message that is not what was streamed',
  /completes message m2 at epoch:13 with another text/,
  (sample) => {
    sample.at(12).payload.text = 'sea';
  },
);

finds(
  'reasoning that is not what was streamed',
  /completes message m2 at epoch:13 with another text/,
  (sample) => {
    sample.at(12).event_type = 'reasoning_delta';
  },
);

finds('a message that is left half said', /ends and leaves message m1 half said/, (sample) => {
  sample.set(8, 'status', { text: 'Thinking' });
});

finds('a message that is completed twice', /message m2 is completed again at epoch:19/, (sample) => {
  sample.set(19, 'message_completed', sample.at(13).payload);
});

finds(
  'a withdrawn message that is completed',
  /completes message m1 at epoch:19, which was withdrawn/,
  (sample) => {
    const { replaces: _, ...message } = sample.at(13).payload;
    const parts = [{ type: 'text', text: 'Le' }];
    sample.set(19, 'message_completed', { ...message, message_id: 'm1', parts });
  },
);

finds('a withdrawn message that goes on', /streams message m1 at epoch:19, which is discarded/, (sample) => {
  sample.set(19, 'text_delta', sample.at(7).payload);
});

finds(
  'a message that was never started',
  /streams message m9 at epoch:19, which is not started/,
  (sample) => {
    sample.set(19, 'text_delta', { message_id: 'm9', text: 'x' });
  },
);

finds('a message that starts twice', /starts message m1 again at epoch:9/, (sample) => {
  sample.set(7, 'message_discarded', { message_id: 'm1' });
  sample.set(9, 'message_started', { message_id: 'm1', role: 'assistant' });
  sample.set(8, 'status', { text: 'Thinking' });
  for (const seq of [10, 12, 13]) sample.at(seq).payload.message_id = 'm1';
});

finds(
  'a message that is withdrawn twice',
  /withdraws message m1 at epoch:19, which is discarded/,
  (sample) => {
    sample.set(19, 'message_discarded', { message_id: 'm1' });
  },
);

allows('deltas that are gone, so that nothing can be compared', (sample) => {
  sample.at(13).payload.parts = [{ type: 'text', text: 'Nobody knows' }];
  sample.log = sample.without(10, 12);
});

allows('a message that was not streamed', (sample) => {
  sample.set(19, 'message_completed', { ...sample.at(2).payload, role: 'tool', message_id: 'm3' });
});
