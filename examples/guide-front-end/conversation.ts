import { LlmgineClient } from '@llmgine/client';

export async function converse(url: string, write: (text: string) => void): Promise<string> {
  const client = new LlmgineClient({ url });
  const { session_id } = await client.sessions.create({ engine_type: 'ToolChatEngine' });
  const session = client.session(session_id);

  const run = session.prompt('What is 6 * 7?');
  for await (const event of run) {
    if (event.event_type === 'text_delta') write(event.payload.text);
    if (event.event_type === 'tool_call') write(`[${event.payload.tool_name}] `);
  }
  const { status } = await run.result;
  session.close();
  return status;
}
