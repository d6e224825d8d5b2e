/** Looks at all that a start needs, and says what to do about what is wrong. Changes nothing. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { APIConfig, type APIConfigOptions, ConfigError, type ConfigInput } from '../../config.ts';
import { authWarnings, describeAuth } from '../../security/auth-mode.ts';
import { databasePath, MEMORY, POSTGRES_URL } from '../../storage/open.ts';
import { checkAccess } from './access.ts';
import { type Check, type Finding, ok, problem, reasonOf, warning } from './check.ts';
import { checkModels } from './model.ts';
import { checkPort } from './port.ts';
import { checkPostgres } from './postgres.ts';
import { checkClock, checkDataFolder, checkSqlite, hasSqliteKey, isInUse } from './sqlite.ts';

export interface DoctorOptions {
  /** Settings over those of the environment and the file. */
  readonly overrides: Partial<ConfigInput>;
  readonly source?: APIConfigOptions;
  readonly offline: boolean;
  /** Milliseconds that a model may take to begin an answer. */
  readonly timeoutMs: number;
}

/** The checks, each when it is done. Never rejects. */
export async function* examine(options: DoctorOptions): AsyncGenerator<Check, void> {
  yield { name: 'node', ...ok(`v${process.versions.node}`) };
  const loaded = load(options);
  for (const finding of loaded.findings) yield { name: 'configuration', ...finding };
  const { config } = loaded;
  if (config === null) return;
  const { databaseUrl, databaseTimeout } = config.values;
  let isServed: boolean | null = null;
  let hasKey: boolean | null = false;
  if (databaseUrl !== undefined && POSTGRES_URL.test(databaseUrl)) {
    const found = await checkPostgres(databaseUrl, Math.round(databaseTimeout * 1000));
    yield { name: 'database', ...found.database };
    yield { name: 'clock', ...found.clock };
    hasKey = found.hasKey;
  } else {
    const path = databasePath(config.values);
    yield* embedded(path);
    if (path !== MEMORY) {
      isServed = isInUse(path);
      hasKey = hasSqliteKey(path, Date.now());
    }
  }
  const access = await checkAccess(config.values, hasKey);
  if (access) yield { name: 'access', ...access };
  for (const finding of await checkModels(config, options)) yield { name: 'model', ...finding };
  yield { name: 'port', ...(await checkPort(config, isServed)) };
  yield { name: 'console', ...checkConsole() };
}

function load({ overrides, source = {} }: DoctorOptions): {
  readonly config: APIConfig | null;
  readonly findings: readonly Finding[];
} {
  try {
    const config = new APIConfig(overrides, source);
    const warnings = [...config.warnings, ...authWarnings(config.values)];
    const findings = warnings.map((text) => warning(text, 'correct it, or remove it'));
    return { config, findings: [...findings, ok(describeAuth(config.values))] };
  } catch (error) {
    const messages = error instanceof ConfigError ? [error.message, ...error.further] : [reasonOf(error)];
    const findings = messages.map((text) =>
      problem(text, 'correct it; docs/reference/configuration.md has all'),
    );
    return { config: null, findings };
  }
}

function* embedded(path: string): Generator<Check, void> {
  if (path === MEMORY) {
    yield { name: 'database', ...warning('it is in memory', 'set LLMGINE_API_DATA_DIR to keep it') };
    yield { name: 'clock', ...checkClock(path, Date.now()) };
    return;
  }
  const folder = attempt(() => checkDataFolder(path));
  yield { name: 'data folder', ...folder };
  yield { name: 'database', ...attempt(() => checkSqlite(path)) };
  yield { name: 'clock', ...checkClock(path, Date.now()) };
}

function attempt(check: () => Finding): Finding {
  try {
    return check();
  } catch (error) {
    return problem(reasonOf(error), 'give this user the right to read and write there');
  }
}

/** The pages that the server shows at /console. */
function checkConsole(): Finding {
  try {
    const manifest = fileURLToPath(import.meta.resolve('@llmgine/console/package.json'));
    const page = manifest.replace(/package\.json$/, 'dist/index.html');
    if (existsSync(page)) return ok('it is built');
  } catch {
    // It is not installed.
  }
  return warning('it is not built', 'run npm run build; everything else works without it');
}
