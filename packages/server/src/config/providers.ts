import type { Environment } from './environment.ts';
import { ConfigError } from './error.ts';

/** Never shown anywhere. */
const SECRETS = [
  'OPENAI_API_KEY',
  'ANTHROPIC_API_KEY',
  'GOOGLE_GENERATIVE_AI_API_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_BEARER_TOKEN_BEDROCK',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AZURE_API_KEY',
  'CEREBRAS_API_KEY',
  'COHERE_API_KEY',
  'DEEPINFRA_API_KEY',
  'DEEPSEEK_API_KEY',
  'FIREWORKS_API_KEY',
  'GOOGLE_VERTEX_API_KEY',
  'GROQ_API_KEY',
  'MISTRAL_API_KEY',
  'MOONSHOT_API_KEY',
  'OPENROUTER_API_KEY',
  'PERPLEXITY_API_KEY',
  'TOGETHER_API_KEY',
  'XAI_API_KEY',
] as const;

const SETTINGS = [
  'OPENAI_BASE_URL',
  'ANTHROPIC_BASE_URL',
  'GOOGLE_GENERATIVE_AI_BASE_URL',
  'OLLAMA_HOST',
  'AWS_REGION',
  'AZURE_RESOURCE_NAME',
  'GOOGLE_VERTEX_LOCATION',
  'GOOGLE_VERTEX_PROJECT',
] as const;

export type ProviderVariable = (typeof SECRETS)[number] | (typeof SETTINGS)[number];

/** Credentials of providers come from the variables that their own tools use; they are no settings and never shown. */
export type ProviderEnvironment = Readonly<Partial<Record<ProviderVariable, string>>>;

const PRINTABLE = /^[\x20-\x7e]+$/;

/** Secrets that are mounted as files end with a line break. Throws `ConfigError` for a key that no header can hold. */
export function readProviders({ variables, label }: Environment): ProviderEnvironment {
  const read: Partial<Record<ProviderVariable, string>> = {};
  for (const name of [...SECRETS, ...SETTINGS]) {
    const value = variables.get(name)?.trim();
    if (value) read[name] = value;
  }
  for (const name of SECRETS) {
    const secret = read[name];
    if (secret === undefined || PRINTABLE.test(secret)) continue;
    throw new ConfigError(`${label(name)} is (hidden), but must be one line of ASCII characters`);
  }
  return Object.freeze(read);
}

export function providerSecrets(providers: ProviderEnvironment): readonly (string | undefined)[] {
  return SECRETS.map((name) => providers[name]);
}
