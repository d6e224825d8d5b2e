/** What models say in the tests of providers, and what configures them. */
import type { ModelScript, ModelServer } from '../helpers/model-server.ts';

export const KEY = 'sk-provider-0123456789';

/** Of one answer of the model. */
const USED = { input: 100, output: 40, cached: 60, reasoning: 25 };

/** Both tools at once, after reasoning that the provider wants back. */
export const ASKING: ModelScript = {
  steps: [
    { reasoning: 'I need ' },
    { reasoning: 'two tools.', signature: 'c2lnbmVk' },
    { text: 'Let me see.' },
    {
      toolCalls: [
        { name: 'calculate', arguments: { expression: '6 * 7' }, signature: 'Y2FsbA==' },
        { name: 'current_time', arguments: { time_zone: 'UTC' } },
      ],
    },
  ],
  tokens: USED,
};
export const ANSWERING: ModelScript = { steps: [{ text: 'It is ' }, { text: '42.' }], tokens: USED };

/** Models whose providers look closely at what they get back. */
export const MODELS = {
  anthropic: 'anthropic:claude-sonnet-4-5',
  google: 'google:gemini-3.5-flash',
  openai: 'openai:gpt-5-mini',
  'openai-compatible': 'openai-compatible:deepseek-reasoner',
} as const;

export type ProviderName = keyof typeof MODELS;
export const PROVIDER_NAMES = Object.keys(MODELS) as readonly ProviderName[];

type Addresses = Pick<ModelServer, 'origin' | 'baseUrl'>;

export function chatEnv({ baseUrl }: Addresses): Record<string, string> {
  return { OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: KEY };
}

export function anthropicEnv({ origin }: Addresses): Record<string, string> {
  return { ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: origin };
}

export function googleEnv({ baseUrl }: Addresses): Record<string, string> {
  return { GOOGLE_GENERATIVE_AI_API_KEY: KEY, GOOGLE_GENERATIVE_AI_BASE_URL: baseUrl };
}
