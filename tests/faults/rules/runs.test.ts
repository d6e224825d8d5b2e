import { allows, end, finds, RUN } from '../sample.ts';

const finished = { status: 'completed', result: null, usage: null, error: null };

finds('a run that has not ended', /run run-1 has not ended/, (sample) => {
  sample.log.pop();
});

finds('a run that waits for people although none may', /run run-1 has not ended/, (sample) => {
  sample.log.splice(16);
  sample.history.operations.pop();
});

finds(
  'a run that has not ended where runs may wait for people',
  /run run-1 has not ended/,
  (sample) => {
    sample.log.pop();
  },
  { mayBeParked: true },
);

finds('a run that ends twice', /run run-1 ends 2 times/, (sample) => {
  sample.append('run_finished', end('completed'), RUN);
});

finds('a run that goes on after its end', /run-1 goes on after its end: status at epoch:22/, (sample) => {
  sample.append('status', { text: 'Still here' }, RUN);
});

finds(
  'a run that failed where all have to complete',
  /run run-1 has failed: RUN_INTERRUPTED/,
  (sample) => {
    sample.at(21).payload = end('failed');
  },
  { allCompleted: true },
);

finds('two runs at once', /run run-1 starts at epoch:4 while run-2 has the session/, (sample) => {
  sample.set(3, 'run_started', { engine_id: 'e', engine_type: 'x' }, 'run-2');
  sample.set(19, 'run_finished', finished, 'run-2');
  sample.history.operations.splice(2, 1);
});

finds(
  'a result that is not the end of the run',
  /c was told another end of run run-1 \(failed\)/,
  (sample) => {
    sample.saw({ kind: 'result', result: { run_id: RUN, ...end('failed') } }, 'c');
  },
);

finds('a request that is pending after the end', /has ended, and its request q2 is still/, (sample) => {
  sample.set(5, 'input_requested', { ...sample.at(16).payload, request_id: 'q2' });
});

finds('a request that is asked twice', /asks request q1 twice/, (sample) => {
  sample.set(5, 'input_requested', sample.at(16).payload);
});

finds('a request that is resolved twice', /resolves request q1 twice/, (sample) => {
  sample.set(19, 'input_resolved', sample.at(17).payload);
});

finds('a request that was never asked', /resolves request q2 that was never asked/, (sample) => {
  sample.set(19, 'input_resolved', { request_id: 'q2', by: 'system', outcome: 'expired' });
});

allows(
  'a run that waits for people',
  (sample) => {
    sample.log.splice(16);
    sample.history.operations.pop();
  },
  { mayBeParked: true },
);

allows('a run that failed', (sample) => {
  sample.at(21).payload = end('failed');
});

allows('a result that is the end of the run', (sample) => {
  sample.saw({ kind: 'result', result: { run_id: RUN, ...end('completed') } }, 'c');
});

allows('a run that is started again, to be continued', (sample) => {
  sample.set(19, 'run_started', sample.at(4).payload);
});
