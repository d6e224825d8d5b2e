import { aiSdkProvider } from './ai-sdk.ts';
import { maxTokensField } from './chat-request.ts';
import { checkModelName, OPENAI_BASE_URL, type OpenAICompatibleOptions } from './openai-compatible.ts';
import type { ModelProvider } from './types.ts';

/** The same provider through the AI SDK's own adapter. Its package is loaded by the first call of a model. */
export function openAICompatibleAiSdk(
  options: OpenAICompatibleOptions & { readonly fetch?: typeof globalThis.fetch } = {},
): ModelProvider {
  const { name = 'openai-compatible', baseURL = OPENAI_BASE_URL, apiKey, timeouts, fetch } = options;
  const url = new URL(baseURL);
  const maxTokens = maxTokensField(url);
  return aiSdkProvider({
    name,
    check: (model) => checkModelName(name, model),
    secrets: [apiKey],
    ...(timeouts === undefined ? {} : { timeouts }),
    model: async (model) => {
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
      const provider = createOpenAICompatible({
        name,
        baseURL: url.origin + url.pathname,
        queryParams: Object.fromEntries(url.searchParams),
        includeUsage: true,
        supportsStructuredOutputs: true,
        transformRequestBody: ({ max_tokens: limit, ...body }) =>
          limit === undefined ? body : { ...body, [maxTokens]: limit },
        ...(apiKey === undefined ? {} : { apiKey }),
        ...(fetch === undefined ? {} : { fetch }),
      });
      return provider.chatModel(model);
    },
  });
}
