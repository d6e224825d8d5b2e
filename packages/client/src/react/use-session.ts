import type { LinkedEngine } from '@llmgine/protocol/wire';
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { SessionView } from '../view/session-view.ts';
import type { SessionLike, ViewEngine, ViewSnapshot } from '../view/types.ts';

/** The part of a session that the hook uses; a `Session` has it. */
export interface HookSession extends SessionLike {
  prompt(...parameters: never): unknown;
  command(...parameters: never): unknown;
  cancel(...parameters: never): unknown;
  answer(...parameters: never): unknown;
  close(): unknown;
}

/** The part of a client that the hook uses; an `LlmgineClient` has it. */
export interface HookClient<S extends HookSession, O extends object> {
  session(id: string, options?: O): S;
  readonly sessions: { engine(id: string): Promise<LinkedEngine> };
}

export type UseSessionOptions<O extends object = object> = O & {
  /** Messages that are loaded at once; default 100. */
  readonly pageSize?: number;
};

export interface UsedSession<S extends HookSession> extends ViewSnapshot {
  /** Null until the component is mounted. */
  readonly session: S | null;
  readonly prompt: S['prompt'];
  readonly command: S['command'];
  readonly cancel: S['cancel'];
  readonly answer: S['answer'];
  readonly loadOlder: () => Promise<void>;
  /** Loads the history anew. */
  readonly reload: () => void;
}

interface Opened<S> {
  readonly client: object;
  readonly session: S;
  readonly view: SessionView;
}

const NOTHING: ViewSnapshot = Object.freeze({
  status: 'loading',
  connection: 'idle',
  messages: [],
  runs: [],
  requests: [],
  engine: undefined,
  custom: [],
  hasOlder: false,
  error: null,
});
const nothing = (): ViewSnapshot => NOTHING;
const never = () => () => {};

/**
 * One session in a component: connected while it is mounted. The functions stay the same, so they may be dependencies.
 * Options are taken when the session is opened; others need another `key`. On a server it shows nothing yet.
 */
export function useSession<S extends HookSession, O extends object>(
  client: HookClient<S, O>,
  sessionId: string,
  options?: UseSessionOptions<O>,
): UsedSession<S> {
  const [latest, setOpened] = useState<Opened<S> | null>(null);
  const optionsAtOpening = useRef(options);
  optionsAtOpening.current = options;

  useEffect(() => {
    // Made here and not while rendering: React may render what it never mounts, and mounts twice in its strict mode.
    const given = optionsAtOpening.current;
    const session = client.session(sessionId, given);
    const view = new SessionView(session, {
      loadEngine: () => loadEngine(client, sessionId),
      ...(given?.pageSize === undefined ? {} : { pageSize: given.pageSize }),
    });
    setOpened({ client, session, view });
    return () => {
      view.close();
      session.close();
    };
  }, [client, sessionId]);

  // Until the effect has run, there is still the session from before: of another conversation.
  const opened = latest?.session.id === sessionId && latest.client === client ? latest : null;
  const view = opened?.view;
  const snapshot = useSyncExternalStore(view?.subscribe ?? never, view?.snapshot ?? nothing, nothing);

  const current = useRef(opened);
  current.current = opened;
  const prompt = useAction(current, 'prompt');
  const command = useAction(current, 'command');
  const cancel = useAction(current, 'cancel');
  const answer = useAction(current, 'answer');
  const loadOlder = useCallback(async () => current.current?.view.loadOlder(), []);
  const reload = useCallback(() => current.current?.view.reload(), []);
  return {
    ...snapshot,
    session: opened?.session ?? null,
    prompt,
    command,
    cancel,
    answer,
    loadOlder,
    reload,
  };
}

/** A method of whatever session is open. Throws when none is, which no effect and no event of the component can see. */
function useAction<S extends HookSession, K extends 'prompt' | 'command' | 'cancel' | 'answer'>(
  current: { readonly current: Opened<S> | null },
  name: K,
): S[K] {
  const action = (...parameters: never) => {
    const session = current.current?.session;
    if (!session) throw new Error(`"${name}" needs a session, and the component is not mounted`);
    return session[name](...parameters);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the same function for as long as the component lives.
  return useCallback(action, []) as S[K];
}

async function loadEngine(
  client: { readonly sessions: { engine(id: string): Promise<LinkedEngine> } },
  sessionId: string,
): Promise<ViewEngine | null> {
  try {
    const { engine_id, engine_type, status } = await client.sessions.engine(sessionId);
    return { engine_id, engine_type, status };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENGINE_NOT_LINKED') return null;
    throw error;
  }
}
