/** What the storage contract is tested with: short ways to make rows, and one open storage per test. */
import { randomUUID } from 'node:crypto';
import type { Message } from '@llmgine/protocol';
import { afterEach, beforeEach, expect } from 'vitest';
import type {
  Append,
  AppendOutcome,
  EngineRow,
  NewEvent,
  NewRequest,
  NewRun,
  NewSession,
  Resolution,
  SessionKey,
  SessionQuery,
  Storage,
  Write,
} from '../../../packages/server/src/storage/types.ts';

/** One set of data. `open` again, after `close` of what it gave before, is a restart on the same data. */
export interface StorageData {
  open(): Promise<Storage>;
  cleanup(): Promise<void>;
}
export type OpenFresh = () => Promise<StorageData>;

export const OWNER = { tenantId: 'tenant', ownerId: 'owner' } as const;
export const NO_LIMIT = 1_000_000;
export const ALL: SessionQuery = { limit: 100, idleBefore: 0, expiredBefore: null };

/** Runs every test of the enclosing `describe` on data of its own. */
export function useStorage(openFresh: OpenFresh): { readonly storage: Storage; restart(): Promise<Storage> } {
  let data: StorageData;
  let storage: Storage;
  beforeEach(async () => {
    data = await openFresh();
    storage = await data.open();
  });
  afterEach(async () => {
    await storage.close();
    await data.cleanup();
  });
  return {
    get storage() {
      return storage;
    },
    async restart() {
      await storage.close();
      storage = await data.open();
      return storage;
    },
  };
}

export const ENGINE: EngineRow = {
  engineId: 'engine-1',
  engineType: 'TestEngine',
  config: { model: 'demo:echo' },
  status: 'running',
};

export function newSession(values: Partial<NewSession> = {}): NewSession {
  return {
    ...OWNER,
    sessionId: randomUUID(),
    epoch: 'epoch-1',
    name: null,
    metadata: {},
    createdAt: 1000,
    engine: null,
    events: [],
    ...values,
  };
}

export async function createSession(storage: Storage, values: Partial<NewSession> = {}): Promise<SessionKey> {
  const session = newSession(values);
  expect(await storage.createSession(session, NO_LIMIT)).toBe('created');
  const { tenantId, ownerId, sessionId } = session;
  return { tenantId, ownerId, sessionId };
}

export function newRun(values: Partial<NewRun> = {}): NewRun {
  return {
    runId: randomUUID(),
    engineId: ENGINE.engineId,
    engineType: ENGINE.engineType,
    engineConfig: ENGINE.config,
    command: 'prompt',
    parameters: { prompt: 'Hello' },
    bodyHash: 'hash',
    createdAt: 2000,
    ...values,
  };
}

export function event(eventType = 'custom:note', values: Partial<NewEvent> = {}): NewEvent {
  return { eventType, runId: null, payload: '{"text":"hi"}', createdAt: 3000, ...values };
}

export function message(text: string, values: Partial<Message> = {}): Message {
  return {
    message_id: `msg_${randomUUID()}`,
    role: 'assistant',
    run_id: null,
    parts: [{ type: 'text', text }],
    created_at: '2026-01-01T12:00:00.000Z',
    metadata: {},
    ...values,
  };
}

/** The event that a message comes with. */
export function said(
  text: string,
  values: Partial<NewEvent> & { readonly message?: Partial<Message> } = {},
): NewEvent {
  const { message: parts, ...rest } = values;
  const written = message(text, { run_id: rest.runId ?? null, ...parts });
  return event('message_completed', { payload: JSON.stringify(written), ...rest });
}

export const INSERT_MESSAGE: Write = { kind: 'insert_message', eventIndex: 0 };

export function textsOf(messages: readonly Message[]): string[] {
  return messages.flatMap(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : part.type)));
}

export async function append(
  storage: Storage,
  session: SessionKey,
  values: Omit<Append, 'session' | 'events'> & { readonly events?: readonly NewEvent[] },
): Promise<AppendOutcome> {
  const [outcome] = await storage.append([{ session, events: [], ...values }]);
  if (!outcome) throw new Error('The storage answered nothing to an append');
  return outcome;
}

/** Fails the test when the append is refused. */
export async function appended(
  storage: Storage,
  session: SessionKey,
  values: Parameters<typeof append>[2],
): Promise<Extract<AppendOutcome, { ok: true }>> {
  const outcome = await append(storage, session, values);
  if (!outcome.ok) throw new Error(`The append was refused: ${outcome.reason}`);
  return outcome;
}

export const createRun = (run: NewRun, maxAhead = NO_LIMIT): Write => ({ kind: 'create_run', run, maxAhead });
export const startRun = (runId: string, attempt = 1, at = 4000): Write => ({
  kind: 'start_run',
  runId,
  attempt,
  at,
});
export const finishRun = (
  runId: string,
  values: Partial<Extract<Write, { kind: 'finish_run' }>> = {},
): Write => ({
  kind: 'finish_run',
  runId,
  from: ['running'],
  status: 'completed',
  result: null,
  usage: null,
  error: null,
  at: 5000,
  ...values,
});

/** A queued run and the event that it begins with. */
export async function queueRun(
  storage: Storage,
  session: SessionKey,
  values: Partial<NewRun> = {},
): Promise<string> {
  const run = newRun(values);
  await appended(storage, session, {
    events: [event('run_queued', { runId: run.runId })],
    writes: [createRun(run)],
  });
  return run.runId;
}

/** A running run: two events. */
export async function startedRun(storage: Storage, session: SessionKey): Promise<string> {
  const runId = await queueRun(storage, session);
  await appended(storage, session, { events: [event('run_started', { runId })], writes: [startRun(runId)] });
  return runId;
}

/** The fence of a run that was started once. */
export const fence = (runId: string, attempt = 1) => ({ runId, attempt });

export function newRequest(runId: string, values: Partial<NewRequest> = {}): NewRequest {
  return {
    requestId: `req_${randomUUID()}`,
    runId,
    requestKey: randomUUID(),
    kind: 'approval',
    prompt: 'May I?',
    schema: null,
    arguments: undefined,
    toolName: null,
    toolCallId: null,
    createdAt: 4500,
    expiresAt: 10_000,
    ...values,
  };
}

export const createRequest = (request: NewRequest, eventIndex = 0): Write => ({
  kind: 'create_request',
  request,
  eventIndex,
});
export const resolveRequest = (requestId: string, values: Partial<Resolution> = {}): Write => ({
  kind: 'resolve_request',
  requestId,
  resolution: { outcome: 'approved', by: 'somebody', value: undefined, reason: null, at: 4900, ...values },
});
export const parkRun = (runId: string, elapsedMs = 0): Write => ({ kind: 'park_run', runId, elapsedMs });
export const releaseRun = (runId: string, elapsedMs = 0): Write => ({
  kind: 'release_run',
  runId,
  elapsedMs,
});
export const recoverRun = (runId: string, attempt: number): Write => ({
  kind: 'recover_run',
  runId,
  attempt,
});

/** A pending request of a running run: one event. */
export async function ask(
  storage: Storage,
  session: SessionKey,
  runId: string,
  values: Partial<NewRequest> = {},
): Promise<string> {
  const request = newRequest(runId, values);
  const events = [event('input_requested', { runId })];
  await appended(storage, session, { events, writes: [createRequest(request)] });
  return request.requestId;
}

/** A run that awaits the answer to its one request: three events. */
export async function parkedRun(
  storage: Storage,
  session: SessionKey,
): Promise<{ readonly runId: string; readonly requestId: string }> {
  const runId = await startedRun(storage, session);
  const requestId = await ask(storage, session, runId);
  await appended(storage, session, { fence: fence(runId), writes: [parkRun(runId)] });
  return { runId, requestId };
}

/** What became of a lone write: why it was refused, or true. */
export async function outcomeOf(
  storage: Storage,
  session: SessionKey,
  ...writes: readonly Write[]
): Promise<string | true> {
  const outcome = await append(storage, session, { writes });
  return outcome.ok || outcome.reason;
}

/** All rows of the log. */
export async function readLog(storage: Storage, session: SessionKey) {
  const page = await storage.readEvents(session, 0, NO_LIMIT);
  if (!page) throw new Error('There is no such session');
  return page.events;
}
