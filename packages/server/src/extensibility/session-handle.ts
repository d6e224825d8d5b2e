import {
  type Answer,
  answerSchema,
  type CommandResult,
  type CustomEventType,
  commandBodySchema,
  type InputRequest,
  type JsonObject,
  type LinkedEngine,
  type Message,
  type OnConflict,
} from '@llmgine/protocol';
import type { Principal } from '../security/principal.ts';
import type { Services } from '../services.ts';
import { keyOf } from '../sessions/service.ts';
import type { EngineRow, SessionRow } from '../storage/types.ts';
import { parseWith } from '../validation.ts';

export interface RunOptions {
  /** A UUID that makes it idempotent: the same one with the same command attaches to the run that is there. */
  readonly runId?: string;
  /** What to do while another run is unfinished; default `queue`. */
  readonly onConflict?: OnConflict;
  /** Ends the waiting, never the run. */
  readonly signal?: AbortSignal;
}

/** What becomes a JSON object; fields that are undefined are left out. */
type Fields = Readonly<Record<string, unknown>>;

/**
 * One session of one principal, for handlers, routers and back ends: the same things that clients can do, with the same
 * checks. Every method throws `SESSION_NOT_FOUND` when the session is gone or belongs to somebody else.
 */
export class SessionHandle {
  readonly id: string;
  readonly #services: Services;
  readonly #principal: Principal;

  constructor(services: Services, principal: Principal, sessionId: string) {
    this.id = sessionId.toLowerCase();
    this.#services = services;
    this.#principal = principal;
  }

  /** The session as it is now. */
  load(): Promise<SessionRow> {
    return this.#services.sessions.get(this.#principal, this.id);
  }

  /** The linked engine with its configuration, or null. */
  async engine(): Promise<EngineRow | null> {
    return (await this.load()).engine;
  }

  /** Links a new engine; the history stays. Throws what `link_engine` answers, `RUN_IN_PROGRESS` among it. */
  async linkEngine(engineType: string, engineConfig: Fields = {}): Promise<LinkedEngine> {
    const session = await this.load();
    return this.#services.engines.link(session, {
      engine_type: engineType,
      engine_config: asJson(engineConfig),
    });
  }

  /**
   * Gives the engine a command and waits for the end of the run, whichever it is: look at `status`. Throws what `command`
   * answers when it is not accepted. Clients that follow the session see the run like any other.
   */
  async run(command: string, parameters: Fields = {}, options: RunOptions = {}): Promise<CommandResult> {
    const { live, runs } = this.#services;
    const body = parseWith(
      commandBodySchema,
      { command, parameters: asJson(parameters), run_id: options.runId, on_conflict: options.onConflict },
      'The command',
    );
    const session = await this.load();
    live.remember(this.#principal);
    const { accepted } = await runs.start(session, body);
    return runs.result(session, accepted.run_id, options.signal);
  }

  /**
   * Publishes an event: durable, in the order of the session's log, seen by every client that follows it. `eventId` makes
   * it idempotent. Throws `VALIDATION_ERROR` when the schema registered for the event does not take the payload.
   */
  async publish(
    eventType: CustomEventType,
    payload: Fields,
    eventId?: string,
  ): Promise<{ readonly cursor: string }> {
    const { log, messages } = this.#services;
    const event = { event_type: eventType, payload: asJson(payload), event_id: eventId };
    messages.checkEvent(eventType, event.payload);
    return log.publish(keyOf(this.#principal, this.id), event);
  }

  /** What runs of the session wait for, newest first; at most 100. */
  async pendingRequests(): Promise<readonly InputRequest[]> {
    const session = await this.load();
    return (await this.#services.requests.list(session, { limit: 100, status: 'pending' })).requests;
  }

  /** Answers a request, as `server_response` does, and throws what that answers; the first answer wins. */
  async answer(requestId: string, answer: Answer): Promise<void> {
    const session = await this.load();
    const parsed = parseWith(answerSchema, answer, 'The answer');
    await this.#services.requests.answer(session, requestId, parsed, { by: this.#principal.id });
  }

  /** The newest messages of the conversation, oldest of them first. */
  async messages(limit = 100): Promise<readonly Message[]> {
    const key = keyOf(this.#principal, this.id);
    return (await this.#services.sessions.messages(key, { limit })).messages;
  }
}

/** What travels and is stored is JSON, so it is JSON from here on. */
function asJson(fields: Fields): JsonObject {
  return JSON.parse(JSON.stringify(fields)) as JsonObject;
}
