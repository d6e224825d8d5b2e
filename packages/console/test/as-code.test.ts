import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { eventAsCurl, frameAsCode, frameAsCurl } from '../src/features/timeline/as-code.ts';

const PLACE = { origin: 'http://127.0.0.1:8000', sessionId: 'the-session', needsKey: true };

/** The arguments that curl would get from a shell. */
function argumentsOf(command: string): string[] {
  const script = `curl() { for one in "$@"; do printf '%s\\0' "$one"; done; }\nLLMGINE_KEY=the-key\n${command}`;
  return execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
}

test('a command that says hostile things to a shell arrives as it is', () => {
  const prompt = `it's "quoted" $(touch /tmp/x) \`id\` \\ \n second line`;
  const data = { command: 'prompt', parameters: { prompt } };
  const given = argumentsOf(frameAsCurl(PLACE, { type: 'command', data }) ?? '');
  expect(given.slice(0, 4)).toEqual(['-H', 'Authorization: Bearer the-key', '-X', 'POST']);
  expect(given).toContain('http://127.0.0.1:8000/api/sessions/the-session/commands');
  expect(JSON.parse(given.at(-1) ?? '')).toEqual(data);
});

test('an event becomes a stream that goes on after it', () => {
  const event = {
    cursor: 'epoch:17',
    seq: 17,
    event_type: 'status' as const,
    payload: { text: 'x' },
    created_at: '2026-01-01T00:00:00.000Z',
  };
  const given = argumentsOf(eventAsCurl({ ...PLACE, needsKey: false }, event));
  expect(given).toEqual([
    '-N',
    '-H',
    'Accept: text/event-stream',
    'http://127.0.0.1:8000/api/sessions/the-session/events?after=epoch%3A17',
  ]);
});

test('a frame that REST has no words for is no curl, and is client code', () => {
  expect(frameAsCurl(PLACE, { type: 'note', data: {} })).toBeNull();
  expect(frameAsCode(PLACE, { type: 'note', data: { a: 1 } })).toContain('session.send("note", {"a":1})');
});
