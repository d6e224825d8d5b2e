/** A real server with what the tests of the console talk about. */
import { defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { z } from 'zod';
import { type StartOptions, startApp, type TestApp } from '../helpers/app.ts';
import { startModelApp } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';

/** A tool that needs a yes. */
export function mailFactory(sent: object[] = []): ExtensibleAPIFactory {
  return new ExtensibleAPIFactory().registerTool(
    defineTool({
      name: 'send_mail',
      description: 'Sends a mail',
      parameters: z.object({ to: z.string(), subject: z.string() }),
      approval: true,
      execute: (mail) => {
        sent.push(mail);
        return { sent: true };
      },
    }),
  );
}

/** With the demo model. */
export function startDemo(options: StartOptions = {}): Promise<TestApp> {
  return startApp({ apiFactory: mailFactory(), ...options });
}

/** With a model that says what a test scripts. */
export function startScripted(options: StartOptions = {}) {
  return startModelApp({ apiFactory: mailFactory(), ...options });
}

export const CHAT = { engine_type: 'ToolChatEngine' };

/** What the server has, in the words of the page. */
export async function messagesOf(url: string, sessionId: string): Promise<[string, string][]> {
  const { body } = await call('GET', `${url}/api/sessions/${sessionId}/messages?limit=100`);
  const messages = body.messages as {
    role: string;
    parts: { type: string; text?: string }[];
  }[];
  return messages.map(({ role, parts }) => [
    role === 'user' ? 'You' : 'Assistant',
    parts.map(({ text = '' }) => text).join(''),
  ]);
}
