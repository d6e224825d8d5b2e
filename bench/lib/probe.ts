/**
 * Runs inside of what is measured: answers its parent with what the process has used. Loaded before the subject's own
 * code (`--import`), so that every subject, the server and the controls, is measured in the same way.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Reading {
  /** Microseconds of CPU, user and system, since the process started. */
  readonly cpu: number;
  /** Milliseconds of the wall clock when it was read. */
  readonly at: number;
  /** Bytes, after a collection where the process was started with `--expose-gc`. */
  readonly rss: number;
  readonly heap: number;
  readonly external: number;
  /** Milliseconds; since the last reading. */
  readonly loopDelayP99: number;
}

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

process.on('message', (message) => {
  if (message !== 'read' && message !== 'collect') return;
  if (message === 'collect') globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  const reading: Reading = {
    cpu: user + system,
    at: performance.timeOrigin + performance.now(),
    rss,
    heap: heapUsed,
    external,
    loopDelayP99: delay.percentile(99) / 1e6,
  };
  delay.reset();
  process.send?.({ reading });
});
// Nothing outlives the run that started it.
process.on('disconnect', () => process.exit());
