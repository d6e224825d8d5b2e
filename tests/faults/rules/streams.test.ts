import { allows, cursorAt, finds } from '../sample.ts';

finds('a hole', /c in session-1, connection 1: 4, 5 missing/, (sample) => {
  sample.seen = sample.without(4, 5);
});

finds('an event that comes twice', /d in session-1, connection 1: sees 3 after 3/, (sample) => {
  sample.watch(0, [...sample.log.slice(0, 3), ...sample.log.slice(2)]);
});

finds('events out of order', [/: 2 missing/, /: sees 2 after 3/], (sample) => {
  const [one, two, three] = sample.log;
  sample.watch(
    0,
    [one, three, two].flatMap((event) => event ?? []),
  );
});

finds('a client that resumes beyond its place', /connection 1, subscribed: 4, 5 missing/, (sample) => {
  sample.watch(0, sample.log.slice(0, 3));
  sample.watch(5, sample.log.slice(5));
});

finds('events without a subscription', /sees epoch:4 before it is subscribed/, (sample) => {
  for (const event of sample.log.slice(3)) sample.saw({ kind: 'event', event });
});

finds('a new epoch without a resync', /goes from epoch epoch to other without a resync/, (sample) => {
  sample.watch(0, sample.log.slice(0, 3));
  sample.saw({ kind: 'subscribed', cursor: cursorAt(3, 'other') });
});

finds('what is no cursor', /"nonsense" is no cursor/, (sample) => {
  sample.saw({ kind: 'resynced', cursor: 'nonsense' });
});

finds(
  'a client that has not seen the end',
  /c in session-1, at the end: 21 missing/,
  (sample) => {
    sample.seen = sample.without(21);
  },
  { caughtUp: ['c'] },
);

allows('a hole where deltas were compacted', (sample) => {
  sample.seen = sample.without(10, 12);
});

allows('a hole that the client was told of', (sample) => {
  sample.watch(0, sample.log.slice(0, 3));
  sample.saw({ kind: 'resynced', cursor: cursorAt(15) });
  sample.watch(15, sample.log.slice(15));
});

allows('another epoch after a resync', (sample) => {
  sample.watch(0, sample.log.slice(0, 3));
  sample.saw({ kind: 'resynced', cursor: cursorAt(3, 'other') });
});

allows('a client that reads again from an earlier place', (sample) => {
  sample.watch(0, sample.log);
  sample.watch(4, sample.log.slice(4));
});
