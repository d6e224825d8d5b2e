/** Waits; ends early when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(() => done.resolve(), ms);
  const abort = () => done.resolve();
  signal.addEventListener('abort', abort, { once: true });
  await done.promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', abort);
}
