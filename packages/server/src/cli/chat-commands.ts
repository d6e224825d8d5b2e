import type { Command } from 'commander';
import type { ChatOptions } from './chat.ts';
import { withServer } from './server-options.ts';

const HELP = `
Examples:
  llmgine chat                                    a new session on the server of this machine
  llmgine chat --session ID                       go on with a session, also in the middle of an answer
  llmgine chat --engine ToolChatEngine --model openai:gpt-5.4-mini
  llmgine chat --config '{"system_prompt": "Be brief"}'
  echo 'What is 7 * 6?' | llmgine chat --once     prints the answer and nothing else

On a terminal, Ctrl-C cancels the answer and stays; twice at an empty prompt, or /exit, leaves. /help lists commands.
Without one, each line of standard input is a prompt (with --once, all of it is one).
Exit codes: 0 done; 1 a run failed, or another error; 2 wrong arguments; 3 no server answers; 4 a run waits for
somebody to answer; 130 cancelled.`;

/** Adds `chat`; `done` gets the exit code. */
export function addChatCommand(program: Command, done: (exitCode: number) => void): void {
  withServer(program.command('chat').description('talk to a running server in this terminal'))
    .option('--session <id>', 'go on with this session')
    .option('--engine <type>', 'link this type of engine (default: as the session has, or ToolChatEngine)')
    .option('--model <provider:model>', 'model of the engine')
    .option('--config <json>', 'configuration of the engine')
    .option('--once', 'all of standard input is one prompt')
    .option('--json', 'events as JSON, one a line')
    .addHelpText('after', HELP)
    .action(async (options: ChatOptions) => {
      const { chat } = await import('./chat.ts');
      done(await chat(options));
    });
}
