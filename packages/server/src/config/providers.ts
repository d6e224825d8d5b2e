import type { Environment } from './environment.ts';
import { ConfigError } from './error.ts';

/** Credentials of providers come from the variables that their own tools use; they are no settings and never shown. */
export interface ProviderEnvironment {
  readonly OPENAI_API_KEY?: string;
  readonly OPENAI_BASE_URL?: string;
}

const PRINTABLE = /^[\x20-\x7e]+$/;

/** Secrets that are mounted as files end with a line break. Throws `ConfigError` for a key that no header can hold. */
export function readProviders({ variables, label }: Environment): ProviderEnvironment {
  const apiKey = variables.get('OPENAI_API_KEY')?.trim();
  const baseUrl = variables.get('OPENAI_BASE_URL')?.trim();
  if (apiKey && !PRINTABLE.test(apiKey)) {
    throw new ConfigError(`${label('OPENAI_API_KEY')} is (hidden), but must be one line of ASCII characters`);
  }
  return Object.freeze({
    ...(apiKey ? { OPENAI_API_KEY: apiKey } : {}),
    ...(baseUrl ? { OPENAI_BASE_URL: baseUrl } : {}),
  });
}
