import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { listenForSignals } from '../../src/cli/signals.ts';

function listen() {
  const source = new EventEmitter();
  let time = 0;
  const signals = listenForSignals(source, () => time);
  const late = Symbol('not yet');
  return {
    source,
    signals,
    /** `second` when it has resolved. */
    second: () =>
      Promise.race([signals.second, Promise.resolve(late)]).then((it) => (it === late ? null : it)),
    send: (signal: 'SIGINT' | 'SIGTERM', at: number) => {
      time = at;
      source.emit(signal, signal);
    },
  };
}

test('the same signal at once is an echo: a terminal and npm both send Ctrl-C', async () => {
  const { send, signals, second } = listen();

  send('SIGINT', 0);
  send('SIGINT', 20);

  expect(await signals.first).toBe('SIGINT');
  expect(await second()).toBeNull();
});

test('the same signal later is a second one', async () => {
  const { send, second } = listen();

  send('SIGINT', 0);
  send('SIGINT', 20);
  send('SIGINT', 1500);

  expect(await second()).toBe('SIGINT');
});

test('another signal is a second one at once', async () => {
  const { send, second } = listen();

  send('SIGTERM', 0);
  send('SIGINT', 1);

  expect(await second()).toBe('SIGINT');
});
