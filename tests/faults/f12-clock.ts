import { onTestFinished, vi } from 'vitest';

/** Sets the wall clock, `new Date()` too; it goes on from there. Neither timers nor monotonic time notice. */
export function setClock(ms: number): void {
  const WallClock = Date;
  const now = () => WallClock.now() + ms;
  vi.stubGlobal(
    'Date',
    new Proxy(WallClock, {
      construct: (target, given) => Reflect.construct(target, given.length === 0 ? [now()] : given) as Date,
      get: (target, key) => (key === 'now' ? now : (Reflect.get(target, key) as unknown)),
    }),
  );
  onTestFinished(() => {
    vi.unstubAllGlobals();
  });
}
