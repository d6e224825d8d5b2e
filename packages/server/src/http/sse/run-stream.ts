import type { CommandAccepted } from '@llmgine/protocol';
import { parseCursor } from '@llmgine/protocol';
import type { FastifyReply } from 'fastify';
import type { Services } from '../../services.ts';
import type { SessionKey } from '../../storage/types.ts';
import { toApiError } from '../problem.ts';
import type { EventStreams } from './event-streams.ts';

/**
 * Answers with the events of one run, from its beginning or after a cursor, and at its end with `command_result`. A client
 * that hangs up ends the stream, never the run.
 */
export async function streamRun(
  services: Services,
  streams: EventStreams,
  reply: FastifyReply,
  session: SessionKey,
  accepted: CommandAccepted,
  after: string | undefined,
): Promise<void> {
  const runId = accepted.run_id;
  const gone = new AbortController();
  let position = 0;
  /** `seq` at which everything of the run has been sent. */
  let end = Number.POSITIVE_INFINITY;
  let finish = (): void => {};

  const stream = await streams.open(reply, session, {
    after: after ?? accepted.cursor,
    sink: (open) => {
      // Not where it was asked to begin, when that is gone.
      position = parseCursor(open.cursor)?.seq ?? 0;
      return {
        write(event) {
          const room = event.runId === runId ? open.write(event) : true;
          position = event.seq;
          if (position >= end) finish();
          return room;
        },
      };
    },
  });
  stream.onClose(() => gone.abort());

  try {
    const result = await services.runs.result(session, runId, gone.signal);
    finish = () => {
      stream.send('command_result', result);
      stream.end();
    };
    // The head is at or behind the end of the run, whether the client has seen that end already or not.
    const row = await services.storage.getSession(session);
    if (!row || position >= row.headSeq) finish();
    else end = row.headSeq;
  } catch (thrown) {
    if (gone.signal.aborted) return;
    const error = toApiError(thrown);
    services.logger.warn({ err: error.cause ?? error, run_id: runId }, 'a run cannot be followed to its end');
    stream.send('error', { code: error.code, message: error.message });
    stream.end();
  }
}
