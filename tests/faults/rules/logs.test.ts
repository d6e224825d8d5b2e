import type { SessionEvent } from '@llmgine/protocol';
import { allows, cursorAt, finds, type Sample } from '../sample.ts';

/** The event of this number with another value. */
function other(sample: Sample, seq: number): SessionEvent {
  const event = sample.log[seq - 1] as SessionEvent;
  return { ...event, payload: { ...event.payload, other: true } } as SessionEvent;
}

finds('two values in one place', /:18 had another value when d saw it/, (sample) => {
  sample.watch(17, [other(sample, 18)]);
});

finds('another value over another transport', /:18 has another value when read by stream/, (sample) => {
  sample.readings.stream = sample.log.with(17, other(sample, 18));
});

finds('an event whose seq is not the one of its cursor', /:21 says that its seq is 22/, (sample) => {
  sample.watch(20, [{ ...(sample.log[20] as SessionEvent), seq: 22 }]);
});

finds('an event that was seen and is not in the log', /:22 \(status\) was seen by d and is not/, (sample) => {
  const event = { ...sample.log[20], seq: 22, cursor: cursorAt(22), event_type: 'status' };
  sample.watch(21, [event as SessionEvent]);
});

finds('a hole in the log', /read by stream: 18 missing/, (sample) => {
  sample.readings.stream = sample.without(18);
});

finds('a log that stops before its head', /read by stream: 20, 21 missing/, (sample) => {
  sample.readings.stream = sample.without(20, 21);
});

finds('a log out of order', [/: 2 missing/, /: 2 comes after 3/], (sample) => {
  const [one, two, three, ...rest] = sample.log as [SessionEvent, SessionEvent, SessionEvent];
  sample.readings.stream = [one, three, two, ...rest];
});

finds('missing deltas of a message that was withdrawn', /read by stream: 7 missing/, (sample) => {
  sample.readings.stream = sample.without(7);
});

finds('something else than deltas missing among them', /read by stream: 11 missing/, (sample) => {
  sample.readings.stream = sample.without(10, 11, 12);
});

allows('missing deltas of a completed message', (sample) => {
  sample.readings.stream = sample.without(10, 12);
});

allows('deltas that nobody has read before they were compacted', (sample) => {
  sample.log = sample.without(10, 12);
});

allows('deltas that were seen before they were compacted', (sample) => {
  sample.seen = sample.log;
  sample.log = sample.without(10, 12);
});
