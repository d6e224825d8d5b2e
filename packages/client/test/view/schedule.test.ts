import { expect, onTestFinished, test, vi } from 'vitest';
import { scheduleFrame } from '../../src/view/schedule.ts';

/** A page whose frames the test draws. */
function page() {
  const frames = new Map<number, () => void>();
  let count = 0;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  vi.stubGlobal('document', { hidden: false });
  vi.stubGlobal('requestAnimationFrame', (callback: () => void) => {
    frames.set(++count, callback);
    return count;
  });
  vi.stubGlobal('cancelAnimationFrame', (id: number) => void frames.delete(id));
  onTestFinished(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });
  const draw = () => {
    for (const [id, callback] of frames) {
      frames.delete(id);
      callback();
    }
  };
  return { draw };
}

test('it comes with the next frame, once', () => {
  const { draw } = page();
  const callback = vi.fn();
  scheduleFrame(callback);
  expect(callback).not.toHaveBeenCalled();
  draw();
  vi.runAllTimers();
  expect(callback).toHaveBeenCalledOnce();
});

test('a page that is hidden before its next frame learns it all the same, once', () => {
  const { draw } = page();
  const callback = vi.fn();
  scheduleFrame(callback);
  vi.runAllTimers();
  expect(callback).toHaveBeenCalledOnce();
  draw();
  expect(callback).toHaveBeenCalledOnce();
});
