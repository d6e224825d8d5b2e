/** Logs: one JSON object a line, or readable lines on a terminal. No line holds a credential. */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { inert, printable } from './printable.ts';

export type { Logger };

/** What `createLogger` needs of the configuration. */
export interface LogSettings {
  readonly debug: boolean;
  readonly logLevel?: string | undefined;
  readonly logFormat: 'auto' | 'json' | 'pretty';
  /** Takes the credentials that the server knows out of a line: what custom code throws may hold one. */
  readonly redact?: ((line: string) => string) | undefined;
}

/** Headers that carry credentials, wherever a line shows headers. */
const SECRET_HEADERS = [
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'cookie',
  'set-cookie',
  'sec-websocket-protocol',
];
const SECRET_PATHS = ['', 'headers', '*.headers'].flatMap((place) =>
  SECRET_HEADERS.map((header) => `${place}["${header}"]`),
);

/**
 * Writes to standard output by default. Writing is synchronous: what led to a crash is in the log, and there is
 * nothing to flush at the end. A `stream` gets JSON, unless the format is `pretty`.
 */
export function createLogger(settings: LogSettings, stream?: DestinationStream): Logger {
  const onTerminal = stream === undefined && process.stdout.isTTY === true;
  const readable = settings.logFormat === 'pretty' || (settings.logFormat === 'auto' && onTerminal);
  const { redact = (line: string) => line } = settings;
  const target = stream ?? destination({ dest: 1, sync: true });
  return pino(
    {
      level: settings.logLevel ?? (settings.debug ? 'debug' : 'info'),
      base: { service: 'llmgine-api' },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      redact: { paths: SECRET_PATHS, censor: '[hidden]' },
      hooks: { streamWrite: (line) => printable(redact(line)) },
    },
    readable ? prettyLines(target, onTerminal && process.stdout.hasColors()) : target,
  );
}

function prettyLines(target: DestinationStream, colorize: boolean): DestinationStream {
  const format = prettyFactory({ colorize, translateTime: 'SYS:HH:MM:ss.l', ignore: 'service' });
  return { write: (line) => target.write(format(inert(line))) };
}
