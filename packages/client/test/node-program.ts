/** A program of a user, as small as it gets: it has to end by itself when it has closed its client. */
import { LlmgineClient } from '@llmgine/client';

const client = new LlmgineClient({ url: String(process.argv[2]) });
const { session_id } = await client.sessions.create({ engine_type: 'ToolChatEngine' });
process.stdout.write(await client.session(session_id).prompt('Hello').text);
client.close();
