import { allows, end, finds, prompt, RUN } from '../sample.ts';

finds('an answer that nobody gave', /nobody answered request q1 with denied/, (sample) => {
  sample.at(17).payload.outcome = 'denied';
  sample.history.operations.pop();
});

finds('an answer that was refused and counts', /nobody answered request q1 with approved/, ({ history }) => {
  Object.assign(history.operations[4] ?? {}, { outcome: 'failed' });
});

finds(
  'an acknowledged answer that does not count',
  /q1 was answered by c with denied and is appr/,
  (sample) => {
    sample.send('answer', 'q1', { outcome: 'denied' }).ok();
  },
);

finds('a cancelled run that nobody cancelled', /nobody cancelled run run-1/, (sample) => {
  sample.at(21).payload = end('cancelled');
});

finds('an acknowledged cancel without effect', /run run-1 was cancelled by c and is completed/, (sample) => {
  sample.send('cancel', RUN).ok();
});

allows(
  'a run that somebody cancelled',
  (sample) => {
    sample.at(21).payload = end('cancelled');
    sample.send('cancel', RUN).ok();
  },
  { allCompleted: true },
);

allows('a run that a command interrupted', (sample) => {
  sample.at(21).payload = end('cancelled');
  sample.send('command', 'run-2', { ...prompt('Rather this'), on_conflict: 'interrupt' });
});

allows('a cancel that came too late', (sample) => {
  sample.send('cancel', RUN).failed('RUN_NOT_FOUND');
});

allows('a request that expired', (sample) => {
  sample.at(17).payload.outcome = 'expired';
  sample.history.operations.pop();
});

finds(
  'a call that was executed although it was denied',
  /executed count \(c1\), and its approval is denied/,
  (sample) => {
    sample.at(16).payload.tool_call_id = 'c1';
    sample.at(17).payload.outcome = 'denied';
    Object.assign(sample.history.operations[4] ?? {}, { body: { outcome: 'denied' } });
  },
);

allows('a call that was approved', (sample) => {
  sample.at(16).payload.tool_call_id = 'c1';
});
