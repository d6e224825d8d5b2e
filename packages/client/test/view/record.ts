/** Logs of a real server, with what its history says at each place where it was asked. */
import type { Session } from '@llmgine/client';
import type { History, SessionEvent } from '@llmgine/protocol';
import { type StartOptions, startApp } from '../../../../tests/helpers/app.ts';
import { testClient } from '../helpers.ts';

export interface Recorded {
  readonly sessionId: string;
  readonly events: readonly SessionEvent[];
  /** By the place in the log that each is of. */
  readonly histories: ReadonlyMap<number, History>;
}

/**
 * Says these prompts to an engine, answers what it asks, and asks for the history again and again meanwhile: what comes is
 * what a client sees that arrives at that moment.
 */
export async function record(
  prompts: readonly string[],
  engine: { readonly type: string; readonly config?: object } = { type: 'ToolChatEngine' },
  options: StartOptions & {
    /** Told each event. */
    readonly onEvent?: (event: SessionEvent, session: Session) => void;
  } = {},
): Promise<Recorded> {
  const { onEvent, ...start } = options;
  const { url } = await startApp(start);
  const client = testClient(url);
  const { session_id } = await client.sessions.create();
  const session = client.session(session_id);
  const events: SessionEvent[] = [];
  const histories = new Map<number, History>();
  const look = async () => {
    const history = await session.history();
    histories.set(Number(history.cursor.split(':')[1]), history);
  };
  await session.connect();
  await look();
  session.on('*', (event) => {
    events.push(event);
    onEvent?.(event, session);
    if (event.event_type === 'input_requested') {
      const outcome = event.payload.kind === 'approval' ? 'approved' : 'denied';
      void session.answer(event.payload.request_id, { outcome });
    }
  });
  await session.link(engine.type, engine.config);
  const runs = prompts.map((prompt) => session.prompt(prompt));
  let over = false;
  const looking = (async () => {
    while (!over) await look();
  })();
  await Promise.all(runs.map(({ result }) => result));
  over = true;
  await looking;
  await look();
  const head = Math.max(...histories.keys());
  // Results and events need not come in their order.
  await new Promise<void>((resolve) => {
    const check = () => {
      if ((events.at(-1)?.seq ?? 0) >= head) resolve();
    };
    session.on('*', check);
    check();
  });
  return { sessionId: session_id, events, histories };
}
