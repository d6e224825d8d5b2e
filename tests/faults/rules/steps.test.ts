import { allows, finds } from '../sample.ts';

finds('a finished step that finishes again', /finishes step 1 at epoch:20 after step 1/, (sample) => {
  sample.at(20).payload.step = 1;
});

finds(
  'a finished step that starts again',
  /starts step 1 at epoch:19 although step 1 is finished/,
  (sample) => {
    sample.at(19).payload.step = 1;
  },
);

finds(
  'usage that does not add up',
  /used .*"total_tokens":8.*, and its steps .*"total_tokens":9/,
  (sample) => {
    sample.at(21).payload.usage = { input_tokens: 2, output_tokens: 6, total_tokens: 8 };
  },
);

finds('usage that is forgotten', /used null, and its steps .*"total_tokens":9/, (sample) => {
  sample.at(21).payload.usage = null;
});

finds('usage of which a part is forgotten', /and its steps .*"reasoning_tokens":3/, (sample) => {
  sample.at(20).payload.usage = {
    ...(sample.at(20).payload.usage as object),
    reasoning_tokens: 3,
  };
});

allows('an unfinished step that starts again', (sample) => {
  sample.set(4, 'step_started', sample.at(5).payload);
});
