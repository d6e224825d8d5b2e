import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { isUploading, uploadOf } from '../../src/http/uploads.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** A request of which nothing has come yet. */
function open() {
  const body = new PassThrough();
  const socket = new PassThrough();
  const bytes = uploadOf(Object.assign(body, { socket }) as unknown as IncomingMessage);
  return { body, socket, bytes };
}

it('a client that sends nothing for half a minute is gone', async () => {
  const { body, socket, bytes } = open();
  const first = bytes.next();
  body.write('x');
  expect((await first).value?.toString()).toBe('x');

  const second = bytes.next();
  await nextTurn();
  vi.advanceTimersByTime(29_000);
  expect([body.destroyed, isUploading(socket)]).toEqual([false, true]);
  vi.advanceTimersByTime(2000);

  await expect(second).rejects.toThrow();
  expect([body.destroyed, isUploading(socket)]).toEqual([true, false]);
  expect(vi.getTimerCount()).toBe(0);
});

it('a client that has to wait until its bytes are kept is not', async () => {
  const { body, bytes } = open();
  const first = bytes.next();
  body.write('x');
  await first;

  vi.advanceTimersByTime(300_000);
  expect(body.destroyed).toBe(false);

  const second = bytes.next();
  body.end('y');
  expect((await second).value?.toString()).toBe('y');
  expect(await bytes.next()).toEqual({ done: true, value: undefined });
  expect(vi.getTimerCount()).toBe(0);
});
