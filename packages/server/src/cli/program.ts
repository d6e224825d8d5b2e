import { Command, CommanderError } from 'commander';
import { SERVER_VERSION } from '../version.ts';
import { EXIT } from './exit.ts';
import type { ServeOptions } from './serve.ts';

/** Runs the command line; resolves to the exit code when the command is done. Never rejects. */
export async function runProgram(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.OK;
  const program = new Command('llmgine')
    .description('LLMgine API: keeps conversations with LLM engines alive')
    .version(SERVER_VERSION)
    .helpCommand(false)
    .exitOverride();

  program
    .command('serve')
    .description('start the server; settings: options, then LLMGINE_API_* variables, then the file')
    .option('--port <port>', 'port to listen on, 0 for a free one (default 8000)')
    .option('--host <host>', 'address to listen on (default 0.0.0.0)')
    .option('--config <file>', 'JSON file with settings')
    .option('--data-dir <folder>', 'folder of the embedded database (default ./data)')
    .option('--model <provider:model>', 'default model')
    .option('--debug', 'details in errors and logs')
    .option('--log-format <format>', 'auto, json or pretty (default auto)')
    .exitOverride()
    .action(async (options: ServeOptions) => {
      // Loaded when it is needed: the help and the version do not wait for the server's modules.
      const { serve } = await import('./serve.ts');
      exitCode = await serve(options);
    });

  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed the help, the version or what is wrong already; only the two former are a success.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
    throw error;
  }
}
