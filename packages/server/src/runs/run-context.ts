import { ApiError, type JsonObject } from '@llmgine/protocol';
import type { EngineContext, EngineLogger } from '../engines/types.ts';
import { readFile } from '../sessions/read-file.ts';
import type { RunRow, Storage } from '../storage/types.ts';
import type { RunWriter } from './run-writer.ts';

export interface RunContextParts extends Pick<EngineContext, 'request' | 'park' | 'reserve'> {
  readonly run: RunRow;
  readonly attempt: number;
  readonly parameters: JsonObject;
  readonly signal: AbortSignal;
  readonly logger: EngineLogger;
  readonly storage: Storage;
  readonly writer: RunWriter;
}

/** A run as its engine sees it. What it reads has everything that it emitted before. */
export function createRunContext(parts: RunContextParts): EngineContext {
  const { run, attempt, parameters, signal, logger, storage, writer, request, park, reserve } = parts;
  return {
    sessionId: run.sessionId,
    runId: run.runId,
    command: run.command,
    parameters,
    principal: { id: run.ownerId, tenantId: run.tenantId },
    attempt,
    signal,
    logger,
    history: async () => {
      await writer.drain();
      return storage.conversation(run, run.acceptedSeq);
    },
    recorded: async (...types) => {
      await writer.drain();
      const events = await storage.runEvents(run, run.runId, types);
      return events.map(({ seq, eventType, payload }) => ({
        seq,
        event_type: eventType,
        payload: JSON.parse(payload) as JsonObject,
      }));
    },
    request,
    park,
    ask: async (question) => {
      for (;;) {
        const answer = await request(question);
        if (answer) return answer;
        await park();
      }
    },
    emit: (event) => writer.emit(event),
    drain: () => writer.drain(),
    reserve,
    file: async (fileId) => {
      const file = await storage.files.get(run, fileId);
      if (!file) {
        throw new ApiError('VALIDATION_ERROR', `The session has no file ${JSON.stringify(fileId)}`);
      }
      const { mimeType, size, duration } = file;
      return { fileId, mimeType, name: null, size, duration, read: () => readFile(storage, file) };
    },
  };
}
