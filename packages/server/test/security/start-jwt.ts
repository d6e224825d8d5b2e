import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { APIConfig, type ConfigInput } from '../../src/config.ts';
import { createJwt, type Jwt } from '../../src/security/jwt/create.ts';

interface Seen {
  /** Of the log. */
  readonly lines: { readonly msg: string; readonly reason?: string }[];
  /** What went wrong in the background. */
  readonly reports: unknown[];
}

/** What an application makes of these settings; closed when the test ends. */
export function tryJwt(config: Partial<ConfigInput>): Seen & { readonly jwt: Jwt | null } {
  const lines: Seen['lines'] = [];
  const logger = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const reports: unknown[] = [];
  const jwt = createJwt(new APIConfig(config, { env: {} }), logger, (_stage, error) => reports.push(error));
  onTestFinished(() => jwt?.close());
  return { jwt, lines, reports };
}

/** The same, of settings that allow tokens. */
export function startJwt(config: Partial<ConfigInput>): Seen & Jwt {
  const { jwt, ...seen } = tryJwt(config);
  if (!jwt) throw new Error('these settings allow no tokens');
  return { ...jwt, ...seen };
}
