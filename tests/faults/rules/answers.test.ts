import { allows, end, finds, type Sample } from '../sample.ts';

const VALUE = { counted: 'count' };

/** The request is one for a client, which has submitted the value. */
function inClient(sample: Sample): void {
  Object.assign(sample.at(16).payload, { kind: 'client_tool', tool_call_id: 'c1' });
  sample.at(17).payload.outcome = 'submitted';
  Object.assign(sample.history.operations[4] ?? {}, { body: { outcome: 'submitted', value: VALUE } });
  sample.at(18).payload.result = VALUE;
}

/** Nobody has answered: the server has ended the request. */
function bySystem(sample: Sample, outcome: string): void {
  Object.assign(sample.at(17).payload, { outcome, by: 'system' });
  sample.history.operations.pop();
}

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

finds('an answer that is acknowledged as another one', /with approved, acknowledged as denied/, (sample) => {
  sample.send('answer', 'q1', { outcome: 'approved' }).ok({ outcome: 'denied' });
});

finds('the same answer, refused', /q1 is approved, and the same answer of d was refused/, (sample) => {
  sample.send('answer', 'q1', { outcome: 'approved' }, 'd').failed('REQUEST_ALREADY_ANSWERED');
});

finds(
  'a refusal that is about something else',
  /q1 is approved, and the answer of d was refused with REQUEST_NOT_FOUND/,
  (sample) => {
    sample.send('answer', 'q1', { outcome: 'denied' }, 'd').failed('REQUEST_NOT_FOUND');
  },
);

finds('an answer that was in time, refused as too late', /refused with REQUEST_EXPIRED/, (sample) => {
  sample.send('answer', 'q1', { outcome: 'denied' }, 'd').failed('REQUEST_EXPIRED');
});

finds('a first answer that was refused', /q1 is expired, and the answer of d was refused/, (sample) => {
  bySystem(sample, 'expired');
  sample.send('answer', 'q1', { outcome: 'denied' }, 'd').failed('REQUEST_ALREADY_ANSWERED');
});

finds('an answer of a person that the server gave', /q1 is approved by system/, (sample) => {
  sample.at(17).payload.by = 'system';
});

finds('a request that a person let expire', /q1 is expired by operator/, (sample) => {
  bySystem(sample, 'expired');
  sample.at(17).payload.by = 'operator';
});

finds('a request that expired before its time', /q1 is expired before its time/, (sample) => {
  bySystem(sample, 'expired');
  sample.at(16).payload.expires_at = '2026-01-01T00:00:00.001Z';
});

finds('a request that was withdrawn from a run that went on', /cancelled, and its run is comp/, (sample) => {
  bySystem(sample, 'cancelled');
});

finds('a result that is not what the client gave', /given .* by c, and its run got {"n":1}/, (sample) => {
  inClient(sample);
  sample.at(18).payload.result = { n: 1 };
});

finds('a result of a client that became an error', [/its run got/, /without an interrup/], (sample) => {
  inClient(sample);
  sample.at(18).payload.is_error = true;
});

finds('a result that no client gave', /gave its run {"n":1}, which no client gave/, (sample) => {
  inClient(sample);
  Object.assign(sample.history.operations[4] ?? {}, { outcome: 'unknown' });
  sample.at(18).payload.result = { n: 1 };
});

allows('a request that expired', (sample) => {
  bySystem(sample, 'expired');
  sample.send('answer', 'q1', { outcome: 'approved' }, 'd').failed('REQUEST_EXPIRED');
});

allows('a request that ended with its run', (sample) => {
  bySystem(sample, 'cancelled');
  sample.at(21).payload = end('failed');
});

allows('answers that came after the first one', (sample) => {
  sample.send('answer', 'q1', { outcome: 'approved' }, 'd').ok({ outcome: 'approved' });
  sample.send('answer', 'q1', { outcome: 'denied' }, 'd').failed('REQUEST_ALREADY_ANSWERED');
});

allows('a result of a client, of which nobody was told that it was taken', (sample) => {
  inClient(sample);
  Object.assign(sample.history.operations[4] ?? {}, { outcome: 'unknown' });
  const other = { outcome: 'submitted', value: { n: 1 } };
  sample.send('answer', 'q1', other, 'd').failed('REQUEST_ALREADY_ANSWERED');
});
