/** `llmgine chat`: a conversation in the terminal, or in a pipe. */

import { chatInPipe } from './chat/in-pipe.ts';
import { chatInTerminal } from './chat/in-terminal.ts';
import { openConversation, readLinkOptions } from './chat/open-conversation.ts';
import { type ServerOptions, withFailures } from './server-options.ts';

/** As they come from the command line. */
export interface ChatOptions extends ServerOptions {
  readonly session?: string;
  readonly engine?: string;
  readonly model?: string;
  readonly config?: string;
  readonly once?: boolean;
  readonly json?: boolean;
}

/** Never rejects. */
export function chat(options: ChatOptions): Promise<number> {
  return withFailures(options, async ({ client, url }) => {
    const { once = false, json = false } = options;
    const link = readLinkOptions(options);
    const isTerminal = process.stdin.isTTY && process.stdout.isTTY && !once && !json;
    const conversation = await openConversation(client, options.session, link);
    const talk = { client, url, conversation };
    return isTerminal ? chatInTerminal(talk) : chatInPipe(talk, { once, json });
  });
}
