import { allows, cursorAt, finds, type Sample } from '../sample.ts';

/** What `d` is told after so many events. */
function told(sample: Sample, seq: number, ...requests: string[]): void {
  sample.saw({ kind: 'pending', cursor: cursorAt(seq), requests });
}

/** A client claims the request, until so many seconds from the beginning. */
function claim(sample: Sample, client: string, seconds: number): void {
  const expires_at = new Date(seconds * 1000).toISOString();
  sample.send('claim', 'q1', {}, client).ok({ expires_at });
}

/** The same answer as before, after what has been done since. */
function answerLast({ history: { operations } }: Sample): void {
  const at = operations.length * 10;
  Object.assign(operations[4] ?? {}, { invokedAt: at, endedAt: at + 1 });
}

finds('a request that is listed otherwise', /q1 is approved, and is listed as pending/, (sample) => {
  sample.listed = { q1: null };
});

finds('a request that is lost from the list', /q1 is approved, and is listed as not there/, (sample) => {
  sample.listed = {};
});

finds('a listed request that nobody asked', /q9 is listed, and nobody has asked it/, (sample) => {
  sample.listed = { q1: 'approved', q9: null };
});

finds(
  'a request that a snapshot lacks',
  /q1 is pending at epoch:16, and d was told that it is not/,
  (sample) => {
    told(sample, 16);
  },
);

finds(
  'a request that a snapshot still has',
  /q1 is not pending at epoch:17, and d was told that it is/,
  (sample) => {
    told(sample, 17, 'q1');
  },
);

finds('a request that a snapshot has too early', /q1 is not pending at epoch:15/, (sample) => {
  told(sample, 15, 'q1');
});

finds('two clients that have one claim', /q1 was claimed by d while c had it/, (sample) => {
  claim(sample, 'c', 30);
  claim(sample, 'd', 31);
  answerLast(sample);
});

finds('a claim after the answer', /q1 was claimed by d after it was answered/, (sample) => {
  claim(sample, 'd', 30);
});

allows('snapshots that are the log', (sample) => {
  told(sample, 15);
  told(sample, 16, 'q1');
  told(sample, 17);
});

allows('a claim that is renewed, and one after it has run out', (sample) => {
  claim(sample, 'c', 30);
  claim(sample, 'c', 31);
  claim(sample, 'd', 61);
  answerLast(sample);
});
