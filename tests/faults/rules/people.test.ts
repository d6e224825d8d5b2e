import { allows, end, finds, prompt, RUN } from '../sample.ts';

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

finds(
  'a call that was executed without an approval',
  /executed count \(c1\), and its approval is missing/,
  ({ history }) => {
    Object.assign(history.executions[0] ?? {}, { approval: true });
  },
);

finds(
  'a call that was executed while its approval was pending',
  [
    /q1 is still pending/,
    /q1 was answered by c with approved and is pend/,
    /executed count \(c1\), and its approval is pending/,
  ],
  (sample) => {
    sample.at(16).payload.tool_call_id = 'c1';
    sample.set(17, 'status', { text: 'Go on' });
  },
);
