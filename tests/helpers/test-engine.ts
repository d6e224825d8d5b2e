import { type EngineContext, ExtensibleAPIFactory } from '@llmgine/api';
import { z } from 'zod';

export interface TestGate {
  /** Resolves when somebody stands at the gate. */
  readonly reached: Promise<void>;
  /** Waits until the gate is open. */
  pass(): Promise<void>;
  open(): void;
}

/** Holds whoever passes until a test opens it. */
export function testGate(): TestGate {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  return {
    reached: reached.promise,
    open: () => opened.resolve(),
    pass: () => {
      reached.resolve();
      return opened.promise;
    },
  };
}

/** What a test does in place of an engine. */
export type TestRun = (context: EngineContext) => unknown;

/** An application with the engine type `TestEngine`, whose runs do what the test says. Its configuration takes anything. */
export function testEngine(run: TestRun): ExtensibleAPIFactory {
  return new ExtensibleAPIFactory().registerEngine({
    type: 'TestEngine',
    description: 'Does what a test says',
    config: z.record(z.string(), z.unknown()),
    commands: { act: { description: 'Anything', parameters: z.record(z.string(), z.unknown()) } },
    create: () => ({ run: async (context) => (await run(context)) as never }),
  });
}

/** Streams a message of these pieces. */
export function say(context: EngineContext, messageId: string, ...pieces: string[]): void {
  context.emit({ event_type: 'message_started', payload: { message_id: messageId, role: 'assistant' } });
  for (const text of pieces) {
    context.emit({ event_type: 'text_delta', payload: { message_id: messageId, text } });
  }
}

/** The text of the prompt that the run answers. */
export function promptOf(context: EngineContext): string {
  return String(context.parameters.prompt);
}
