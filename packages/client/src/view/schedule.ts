/** What a browser has and Node has not. */
interface Screen {
  readonly document?: { readonly hidden: boolean };
  readonly requestAnimationFrame?: (callback: () => void) => number;
  readonly cancelAnimationFrame?: (frame: number) => void;
}

/** Longer than any frame takes. */
const NO_FRAME_MS = 250;

/** With the next frame of the screen: a hundred pieces of text are drawn once. Where nobody looks, there are no frames. */
export function scheduleFrame(callback: () => void): void {
  const { document, requestAnimationFrame, cancelAnimationFrame } = globalThis as Screen;
  if (!document || document.hidden || !requestAnimationFrame) {
    queueMicrotask(callback);
    return;
  }
  const frame = requestAnimationFrame(() => {
    clearTimeout(timer);
    callback();
  });
  // The page may be hidden before it.
  const timer = setTimeout(() => {
    cancelAnimationFrame?.(frame);
    callback();
  }, NO_FRAME_MS);
}
