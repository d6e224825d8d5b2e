import { randomUUID } from 'node:crypto';
import {
  type Answer,
  ApiError,
  type CommandResult,
  ERRORS,
  type ErrorCode,
  type InputRequest,
  type Json,
  type SessionEvent,
} from '@llmgine/protocol';
import type { TestApp } from './test-app.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface RunCommandOptions {
  /** Goes on in this session. Default: a new one. */
  readonly sessionId?: string;
  /** Links this engine type first. A new session needs one. */
  readonly engine?: string;
  readonly engineConfig?: Fields;
  /** Default `prompt`. */
  readonly command?: string;
  readonly parameters?: Fields;
  /** Short for `parameters: { prompt }`. */
  readonly prompt?: string;
  /** Answers what the run asks people or clients. Without it, a run that asks is an error. */
  readonly answer?: (request: InputRequest) => Answer | Promise<Answer>;
}

export interface CommandOutcome extends CommandResult {
  readonly sessionId: string;
  /** All events of the run, in order. */
  readonly events: readonly SessionEvent[];
}

/**
 * Gives an engine a command over REST, as clients do, and waits for the end of the run, whichever it is: look at `status`.
 * Throws the `ApiError` that the server answers when it does not accept the session, the engine, the command or an answer.
 */
export async function runCommand(app: TestApp, options: RunCommandOptions): Promise<CommandOutcome> {
  const client = new Client(app);
  const sessionId = options.sessionId ?? (await client.createSession());
  const session = `/api/sessions/${sessionId}`;
  if (options.engine !== undefined) {
    await client.call('PUT', `${session}/engine`, {
      engine_type: options.engine,
      engine_config: options.engineConfig ?? {},
    });
  }
  const body = {
    command: options.command ?? 'prompt',
    parameters: options.parameters ?? (options.prompt === undefined ? {} : { prompt: options.prompt }),
    run_id: randomUUID(),
  };
  for (;;) {
    const ended = await client.call<CommandResult | Waiting>('POST', `${session}/commands`, body);
    if (ended.status !== 'awaiting_input') {
      return { ...ended, sessionId, events: await client.events(session, body.run_id) };
    }
    await answerAll(client, session, body.run_id, options);
  }
}

interface Waiting {
  readonly status: 'awaiting_input';
}

async function answerAll(
  client: Client,
  session: string,
  runId: string,
  { answer }: RunCommandOptions,
): Promise<void> {
  const { requests } = await client.call<{ requests: InputRequest[] }>(
    'GET',
    `${session}/requests?status=pending&limit=100`,
  );
  for (const request of requests) {
    if (request.run_id !== runId) continue;
    if (!answer)
      throw new Error(`The run asks ${JSON.stringify(request.prompt)}: runCommand needs an answer`);
    await client.call('POST', `${session}/requests/${request.request_id}`, await answer(request));
  }
}

class Client {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor({ url, app }: TestApp) {
    const { key } = app.config.values;
    this.#url = url;
    this.#headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  }

  async createSession(): Promise<string> {
    return (await this.call<{ session_id: string }>('POST', '/api/sessions')).session_id;
  }

  async events(session: string, runId: string): Promise<readonly SessionEvent[]> {
    const events: SessionEvent[] = [];
    for (let after = ''; ; ) {
      const page = await this.call<EventPage>('GET', `${session}/events?limit=100${after}`);
      events.push(...page.events.filter((event) => event.run_id === runId));
      if (!page.has_more) return events;
      after = `&after=${encodeURIComponent(page.cursor)}`;
    }
  }

  async call<Body = Json>(method: string, path: string, body?: object): Promise<Body> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { ...this.#headers, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const answered: unknown = await response.json();
    if (response.ok) return answered as Body;
    const { code, detail } = answered as { code: string; detail?: string };
    throw new ApiError(Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'INTERNAL_ERROR', detail ?? code);
  }
}

interface EventPage {
  readonly events: readonly SessionEvent[];
  readonly cursor: string;
  readonly has_more: boolean;
}
