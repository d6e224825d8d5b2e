/** The configuration of an application: overrides in code > environment > `.env` > JSON file > defaults. */
import { inspect } from 'node:util';
import { readEnvironment, type Variables } from './config/environment.ts';
import type { ConfigError } from './config/error.ts';
import { loadValues } from './config/load.ts';
import { type ProviderEnvironment, providerSecrets, readProviders } from './config/providers.ts';
import { type ConfigInput, type ConfigKey, type ConfigValues, SECRET_KEYS } from './config/schema.ts';

export { ConfigError } from './config/error.ts';
export type { ProviderEnvironment, ProviderVariable } from './config/providers.ts';
export {
  type ConfigInput,
  type ConfigKey,
  type ConfigValues,
  configSchema,
  envName,
} from './config/schema.ts';

/** Shorter texts are placeholders such as `none`; taking them out of a text would only garble it. */
const MIN_SECRET = 8;
/** Within one string of a line of JSON: it must not swallow the end of a field. */
/** Keys that were made for callers: see `security/keys`. What is left is their id. */
const API_KEYS = /(?<=llmgine_key_[0-9A-Za-z]{12}_)[0-9A-Za-z]{22,}/g;
const URL_CREDENTIALS = /(?<=:\/\/)[^\s/@"\\]*@/g;

export interface APIConfigOptions {
  /** Default: the environment of the process, on top of `.env` in the working directory. */
  readonly env?: Variables | undefined;
  /** A JSON file; default: the one that `LLMGINE_API_CONFIG` names. */
  readonly file?: string | undefined;
}

/**
 * `new APIConfig({ title: 'My API', maxSessions: 50, custom: {…} })`. What is not given comes from the environment, the
 * file and the defaults. Frozen, copies included. Throws `ConfigError` with one line that names the setting, its value
 * and what is allowed.
 */
export class APIConfig {
  readonly values: Readonly<ConfigValues>;
  readonly providers: ProviderEnvironment;
  /** What does not stop the start but people should know, one line each. */
  readonly warnings: readonly string[];
  /** As they are, and as JSON writes them. */
  readonly #secrets: readonly string[];
  readonly #refuse: (key: ConfigKey, reason: string) => ConfigError;
  readonly #variables: ReadonlyMap<string, string>;

  constructor(overrides: Partial<ConfigInput> = {}, options: APIConfigOptions = {}) {
    const environment = readEnvironment(options.env);
    const { values, refuse } = loadValues({ overrides, environment, file: options.file });
    this.values = values;
    this.#refuse = refuse;
    this.#variables = environment.variables;
    this.warnings = Object.freeze(environment.warnings);
    this.providers = readProviders(environment);
    this.#secrets = [this.values.key, this.values.jwtSecret, ...providerSecrets(this.providers)]
      .filter((secret) => secret !== undefined && secret.length >= MIN_SECRET)
      .flatMap((secret) => [secret as string, JSON.stringify(secret).slice(1, -1)]);
    Object.freeze(this);
  }

  /** Settings of the application's own. */
  get custom(): Readonly<Record<string, unknown>> {
    return this.values.custom;
  }

  /**
   * The error to throw for a given value that only turns out later to be wrong: one line that names the setting as its
   * source does, `LLMGINE_API_MODEL is "gpt4", but REASON`.
   */
  refuse(key: ConfigKey, reason: string): ConfigError {
    return this.#refuse(key, reason);
  }

  /** A variable of the environment that this configuration was made from, for settings that name one. */
  variable(name: string): string | undefined {
    return this.#variables.get(name);
  }

  /** The text without the credentials of this configuration. */
  redact(text: string): string {
    const safe = this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, '[hidden]'), text);
    return safe.replace(URL_CREDENTIALS, '[hidden]@').replace(API_KEYS, '[hidden]');
  }

  /** In debug mode, an error in words that a caller may see: no stack, no credentials. Otherwise undefined. */
  details(error: unknown): string | undefined {
    if (!this.values.debug || error === undefined) return undefined;
    return this.redact(error instanceof Error ? String(error) : inspect(error, { depth: 1 }));
  }

  /** Without secrets, so that a configuration that lands in a log or an answer gives nothing away. */
  toJSON(): object {
    return Object.fromEntries(
      Object.entries(this.values).filter(([key]) => !SECRET_KEYS.has(key as keyof ConfigValues)),
    );
  }
}
