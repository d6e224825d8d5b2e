import { type ClientOptions, LlmgineClient, type Session } from '@llmgine/client';
import { onTestFinished } from 'vitest';

/** Waits of a client that does not make tests wait. */
export const FAST = { firstDelayMs: 5, maxDelayMs: 50, stableMs: 60_000 };

/** A client whose sessions are closed when the test ends. */
export function testClient(url: string, options: ClientOptions = {}): LlmgineClient {
  const client = new LlmgineClient({ url, ...options, times: { ...FAST, ...options.times } });
  onTestFinished(() => client.close());
  return client;
}

/** Resolves with the state as soon as it is one of these. */
export function stateOf(session: Session, ...states: string[]): Promise<string> {
  return new Promise((resolve) => {
    const look = () => {
      if (!states.includes(session.state)) return;
      off();
      resolve(session.state);
    };
    const off = session.onState(look);
    look();
  });
}
