/** The log of a session after everything has healed, read in every way that there is. */
import { formatCursor, type InputRequest, parseCursor, type SessionEvent } from '@llmgine/protocol';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { TestSocket } from '../helpers/ws-client.ts';

export interface FinalLog {
  readonly session: string;
  /** The head. */
  readonly cursor: string;
  /** By the way it was read. They have to say the same. */
  readonly readings: Readonly<Record<string, readonly SessionEvent[]>>;
  /** All that its runs have asked people, as they are listed. */
  readonly requests: readonly InputRequest[];
}

/** Over REST and by resuming from the beginning, on both transports. The session MUST be quiet. */
export async function finalLog(url: string, session: string): Promise<FinalLog> {
  const { events: rest, cursor } = await readPages(url, session);
  const { epoch, seq } = parseCursor(cursor) ?? { epoch: '', seq: 0 };
  const origin = formatCursor(epoch, 0);
  const [socket, stream] =
    seq === 0
      ? [[], []]
      : await Promise.all([
          readSocket(url, session, origin, cursor),
          readStream(url, session, origin, cursor),
        ]);
  const requests = await readRequests(url, session);
  return { session, cursor, readings: { rest, socket, stream }, requests };
}

export async function readPages(
  url: string,
  session: string,
): Promise<{ readonly events: SessionEvent[]; readonly cursor: string }> {
  const events: SessionEvent[] = [];
  let after = '';
  for (;;) {
    const { status, body } = await call('GET', `${url}/api/sessions/${session}/events?limit=100${after}`);
    if (status !== 200) throw new Error(`the log of ${session}: ${status} ${JSON.stringify(body)}`);
    events.push(...body.events);
    if (!body.has_more) return { events, cursor: body.cursor };
    after = `&after=${body.cursor}`;
  }
}

async function readRequests(url: string, session: string): Promise<InputRequest[]> {
  const requests: InputRequest[] = [];
  let page = '';
  for (;;) {
    const { status, body } = await call('GET', `${url}/api/sessions/${session}/requests?limit=100${page}`);
    if (status !== 200) throw new Error(`the requests of ${session}: ${status} ${JSON.stringify(body)}`);
    requests.push(...body.requests);
    if (body.next === null) return requests;
    page = `&cursor=${body.next}`;
  }
}

async function readSocket(
  url: string,
  session: string,
  origin: string,
  head: string,
): Promise<SessionEvent[]> {
  const socket = await TestSocket.open(`${url.replace('http', 'ws')}/api/sessions/${session}/ws`);
  const { data } = await socket.request('subscribe', { after: origin });
  if (data.resync_required) throw new Error(`${session} has no beginning any more`);
  await socket.find((frame) => frame.type === 'event' && frame.data.cursor === head);
  await socket.close();
  return socket.events;
}

async function readStream(
  url: string,
  session: string,
  origin: string,
  head: string,
): Promise<SessionEvent[]> {
  const stream = await TestStream.open(`${url}/api/sessions/${session}/events?after=${origin}`);
  await stream.find(({ id }) => id === head);
  await stream.close();
  return stream.events.map(({ data }) => data as SessionEvent);
}
