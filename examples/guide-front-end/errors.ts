import { type LlmgineClient, LlmgineError } from '@llmgine/client';

export async function nameOf(client: LlmgineClient, sessionId: string): Promise<string> {
  try {
    const { name } = await client.sessions.get(sessionId);
    return name ?? 'without a name';
  } catch (error) {
    if (error instanceof LlmgineError && error.code === 'SESSION_NOT_FOUND') return 'gone';
    throw error;
  }
}
