import { allows, cursorAt, finds, note, prompt, RUN } from '../sample.ts';

finds('a session that is gone', /session other was created by c and is gone/, ({ history }) => {
  const made = { kind: 'create_session', client: 'c', session: null, id: 'k2', body: {} } as const;
  history.invoke(made).ok({ session_id: 'other' });
});

finds('an acknowledged event that is lost', /event .*"n":3.* was acknowledged and is lost/, (sample) => {
  sample.send('event', 'e3', note(3)).ok();
});

finds('an acknowledged event that is there twice', /event .*"n":2.* is there 2 times/, (sample) => {
  sample.append('custom:note', { n: 2 });
});

finds('an unknown event that is there twice', /event .*"n":3.* is there 2 times/, (sample) => {
  sample.send('event', 'e3', note(3)).unknown();
  for (const n of [3, 3]) sample.append('custom:note', { n });
});

finds('a refused event that is there', /event .*"n":3.* was refused and is there/, (sample) => {
  sample.send('event', 'e3', note(3)).failed('VALIDATION_ERROR');
  sample.append('custom:note', { n: 3 });
});

finds('an event that nobody sent', /nobody sent the event at epoch:22/, (sample) => {
  sample.append('custom:note', { n: 3 });
});

finds('an event acknowledged at the place of another', /event e3 was acknowledged at epoch:3/, (sample) => {
  sample.send('event', 'e3', note(3)).ok({ cursor: cursorAt(3) });
  sample.append('custom:note', { n: 3 });
});

finds('an acknowledged command that is lost', /command run-2 was acknowledged and is lost/, (sample) => {
  sample.send('command', 'run-2', prompt('Again')).ok();
});

finds('a command that is there twice', /command run-1 is there 2 times/, (sample) => {
  sample.set(5, 'run_queued', { command: 'prompt' });
});

finds('a refused command that is there', /command run-1 was refused and is there/, ({ history }) => {
  Object.assign(history.operations[1] ?? {}, { outcome: 'failed', result: {} });
});

finds('a command that nobody sent', /nobody sent the command at epoch:5 \(run run-2\)/, (sample) => {
  sample.set(5, 'run_queued', { command: 'prompt' }, 'run-2');
  sample.set(19, 'run_finished', { status: 'completed', result: null, usage: null, error: null }, 'run-2');
});

finds(
  'a command accepted at another place',
  /run-1 was accepted at epoch:1 and begins at 1/,
  ({ history }) => {
    Object.assign(history.operations[1] ?? {}, { result: { cursor: cursorAt(1) } });
  },
);

finds('a prompt that nobody sent', /nobody sent the prompt at epoch:2/, (sample) => {
  sample.at(2).payload.parts = [{ type: 'text', text: 'Something else' }];
});

allows('an unknown send that is there', (sample) => {
  sample.send('event', 'e3', note(3)).unknown();
  sample.append('custom:note', { n: 3 });
});

allows('an unknown send that is not there', (sample) => {
  sample.send('event', 'e3', note(3)).unknown();
  sample.send('command', 'run-2', prompt('Again'));
});

allows('a refused send that is not there', (sample) => {
  sample.send('event', 'e3', note(3)).failed('RATE_LIMITED');
});

allows('the same id sent again', (sample) => {
  sample.send('event', 'e2', note(2)).ok({ cursor: cursorAt(11) });
  sample.send('command', RUN, prompt('Hello')).ok({ cursor: cursorAt(0) });
});

allows('the same value under two ids', (sample) => {
  const seq = sample.append('custom:note', { n: 2 });
  sample.send('event', 'e3', note(2)).ok({ cursor: cursorAt(seq) });
});

allows('what an engine publishes', (sample) => {
  sample.set(5, 'custom:progress', { percent: 1 });
});
