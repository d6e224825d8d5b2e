import { ConfigError } from '../config.ts';

/**
 * The address of a provider, as a variable of the environment says it, without user and password: `fetch` refuses an
 * address that holds them. Throws `ConfigError` that shows nothing secret.
 *
 * @param said What people wrote, where `text` is more.
 */
export function providerAddress(variable: string, text: string, example: string, said = text): URL {
  const url = /^https?:/i.test(text) ? URL.parse(text) : null;
  if (!url) {
    throw new ConfigError(`${variable} is ${JSON.stringify(withoutUser(said))}, but must be ${example}`);
  }
  url.username = '';
  url.password = '';
  return url;
}

function withoutUser(text: string): string {
  return text.replace(/^(\w+:\/\/)?.*@/s, '$1(hidden)@');
}
