import { allows, finds, RUN } from '../sample.ts';

const execution = { tool: 'count', tool_call_id: 'c1', run_id: RUN, idempotent: false };

finds('a tool call that was executed twice', /run-1 c1 \(count\) was executed 2 times/, ({ history }) => {
  history.executed(execution);
});

finds(
  'an execution that no log knows of',
  /run-1 c2 \(count\) was executed, and no log knows/,
  ({ history }) => {
    history.executed({ ...execution, tool_call_id: 'c2' });
  },
);

finds('a result of what was not executed', /a result of count \(c1\), which was not executed/, (sample) => {
  sample.history.executions.length = 0;
  sample.history.executed({ ...execution, tool_call_id: 'c0' });
  sample.set(5, 'tool_call', { ...sample.at(15).payload, tool_call_id: 'c0' });
  sample.set(19, 'tool_result', { ...sample.at(18).payload, tool_call_id: 'c0' });
});

finds(
  'a result of a call that was never made',
  /a result of tool call c9, which was never made/,
  (sample) => {
    sample.set(19, 'tool_result', { ...sample.at(18).payload, tool_call_id: 'c9' });
  },
);

finds('two results of one call', /has two results of tool call c1/, (sample) => {
  sample.set(19, 'tool_result', sample.at(18).payload);
});

finds('a call without a result in a run that completed', /without a result of tool call c1/, (sample) => {
  sample.set(18, 'status', { text: 'Never mind' });
});

allows('an idempotent tool call that was executed twice', ({ history }) => {
  history.executions.length = 0;
  history.executed({ ...execution, idempotent: true }, { ...execution, idempotent: true });
});

finds(
  'a call that was given up although nothing went wrong',
  /gave up count \(c1\), which nobody refused, without an interruption/,
  (sample) => {
    sample.at(18).payload.is_error = true;
  },
);

finds('an approved call that was given up', /gave up count \(c1\), which nobody refused/, (sample) => {
  sample.at(16).payload.tool_call_id = 'c1';
  sample.at(18).payload.is_error = true;
});

finds('a call that was given up for an interruption before it', /gave up count \(c1\)/, (sample) => {
  sample.set(5, 'status', { text: 'Continuing' });
  sample.at(18).payload.is_error = true;
});

allows('a call that was denied', (sample) => {
  sample.at(16).payload.tool_call_id = 'c1';
  sample.at(17).payload.outcome = 'denied';
  Object.assign(sample.history.operations[4] ?? {}, { body: { outcome: 'denied' } });
  sample.history.executions.length = 0;
  sample.history.executed({ ...execution, tool_call_id: 'c0' });
  sample.set(5, 'tool_call', { ...sample.at(15).payload, tool_call_id: 'c0' });
  sample.set(19, 'tool_result', { ...sample.at(18).payload, tool_call_id: 'c0' });
  sample.at(18).payload.is_error = true;
});

allows('a call whose run was interrupted meanwhile', (sample) => {
  const result = { ...sample.at(18).payload, is_error: true };
  sample.set(18, 'status', { text: 'Continuing' });
  sample.set(19, 'tool_result', result);
});

allows('a call that was not executed and says so', (sample) => {
  sample.history.executions.length = 0;
  sample.at(18).payload.is_error = true;
});

allows('tools that nobody counts', ({ history }) => {
  history.executions.length = 0;
});
