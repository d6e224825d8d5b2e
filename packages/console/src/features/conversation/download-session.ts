import { client } from '../../lib/client.ts';
import { shortId } from '../../lib/format.ts';
import { notifyError } from '../../lib/notify.ts';

/** Saves what the server exports as a file. */
export async function downloadSession(sessionId: string): Promise<void> {
  try {
    const stream = await client.sessions.export(sessionId);
    save(await new Response(stream).blob(), `session-${shortId(sessionId)}.jsonl`);
  } catch (error) {
    notifyError(error, 'The session was not exported');
  }
}

function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken it by the next turn.
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
