/** Where errors go that nobody waits for: what a listener throws must not disturb the connection, and must not vanish. */
export type ReportError = (error: unknown) => void;

/** As the platform does it with errors of event listeners: an `error` event of the page, or an uncaught exception. */
export const reportToPlatform: ReportError = (error) => {
  const { reportError } = globalThis as { reportError?: ReportError };
  if (reportError) reportError(error);
  else
    queueMicrotask(() => {
      throw error;
    });
};

/** Calls them all, whatever they throw, at once or later. */
export function tellAll<A extends unknown[]>(
  listeners: Iterable<(...values: A) => unknown>,
  report: ReportError,
  ...values: A
): void {
  for (const listener of [...listeners]) {
    try {
      const result = listener(...values);
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  }
}
