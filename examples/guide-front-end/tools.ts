import { LlmgineClient } from '@llmgine/client';

export function openWithTools(url: string, sessionId: string) {
  const client = new LlmgineClient({ url });
  return client.session(sessionId, {
    tools: {
      where_am_i: async () => ({ city: 'Graz' }),
    },
  });
}
