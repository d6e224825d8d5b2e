import { createLogger } from '../../src/observability/logging.ts';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly err?: { readonly type: string; readonly message: string; readonly stack: string };
  readonly [field: string]: unknown;
}

/** A logger whose lines a test can wait for. */
export function logLines(level = 'warn') {
  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  const stream = {
    write: (text: string) => {
      lines.push(JSON.parse(text) as LogLine);
      for (const look of [...waiting]) look();
    },
  };
  return {
    lines,
    logger: createLogger({ debug: false, logLevel: level, logFormat: 'json' }, stream),
    find: (fits: (line: LogLine) => boolean) =>
      new Promise<LogLine>((resolve) => {
        const look = () => {
          const line = lines.find(fits);
          if (!line) return;
          waiting.delete(look);
          resolve(line);
        };
        waiting.add(look);
        look();
      }),
  };
}
