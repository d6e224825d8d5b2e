import { allows, cursorAt, finds, note } from '../sample.ts';

finds(
  'what one client sent out of order',
  /event e2 of c is at 3, before what c sent.*\(11\)/,
  ({ history }) => {
    Object.assign(history.operations[2] ?? {}, { body: note(2), result: { cursor: cursorAt(11) } });
    Object.assign(history.operations[3] ?? {}, { body: note(1), result: { cursor: cursorAt(3) } });
  },
);

finds('a send before what was acknowledged before it', /event e3 of d is at 3, .*\(11\)/, (sample) => {
  sample.history.operations.splice(2, 1);
  sample.send('event', 'e3', note(1), 'd').ok({ cursor: cursorAt(3) });
});

allows('a send out of order that was refused before it succeeded', ({ history }) => {
  Object.assign(history.operations[2] ?? {}, {
    body: note(2),
    result: { cursor: cursorAt(11) },
    unordered: true,
  });
  Object.assign(history.operations[3] ?? {}, { body: note(1), result: { cursor: cursorAt(3) } });
});
