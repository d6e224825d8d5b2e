import { Command, CommanderError } from 'commander';
import { SERVER_VERSION } from '../version.ts';
import type { AuditOptions, VerifyOptions } from './audit.ts';
import { EXIT } from './exit.ts';
import { addKeysCommands } from './keys-commands.ts';
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

  addKeysCommands(program, (code) => {
    exitCode = code;
  });

  addAudit(program, (code) => {
    exitCode = code;
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

/** All of them work beside a running server. */
function addAudit(program: Command, exit: (code: number) => void): void {
  const audit = program
    .command('audit')
    .description('read and check the audit log')
    .helpCommand(false)
    .exitOverride();
  const command = (name: string, description: string) =>
    audit
      .command(name)
      .description(description)
      .option('--config <file>', 'JSON file with settings')
      .option('--data-dir <folder>', 'folder of the embedded database (default ./data)')
      .exitOverride();
  command('verify', 'check that no entry was changed, moved or removed')
    .argument('[file]', 'an export to check instead of the stored log')
    .option('--head <hash>', 'a head that was kept elsewhere: the log has to hold it')
    .action(async (file: string | undefined, options: VerifyOptions) => {
      const { auditVerify } = await import('./audit.ts');
      exit(await auditVerify(file, options));
    });
  command('head', 'print number and hash of the newest entry, to be kept elsewhere').action(
    async (options: AuditOptions) => {
      const { auditHead } = await import('./audit.ts');
      exit(await auditHead(options));
    },
  );
  command('export', 'print all entries, one JSON object a line').action(async (options: AuditOptions) => {
    const { auditExport } = await import('./audit.ts');
    exit(await auditExport(options));
  });
}
