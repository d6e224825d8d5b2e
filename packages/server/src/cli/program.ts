import { Command, CommanderError } from 'commander';
import { SERVER_VERSION } from '../version.ts';
import type { AuditOptions, VerifyOptions } from './audit.ts';
import { addChatCommand } from './chat-commands.ts';
import { addDoctorCommand } from './doctor-commands.ts';
import { EXIT } from './exit.ts';
import { addInitCommand } from './init-commands.ts';
import { addKeysCommands } from './keys-commands.ts';
import type { ServeOptions } from './serve.ts';
import { addSessionsCommands } from './sessions-commands.ts';

const HELP = `
Examples:
  llmgine serve            start a server: http://localhost:8000
  llmgine chat             talk to it, in another terminal
  llmgine doctor           what is wrong, and what to do about it
  llmgine chat --help      what a command can do

Exit codes: 0 done; 1 failed; 2 wrong arguments or configuration; others are in the help of their command.`;

const SERVE_HELP = `
Examples:
  llmgine serve --port 9000 --data-dir /var/lib/llmgine
  OPENAI_API_KEY=… llmgine serve
  LLMGINE_API_DATABASE_URL=postgres://user@host/llmgine llmgine serve --log-format json

Exit codes: 0 stopped as it was told to; 1 it could not start; 2 wrong arguments or configuration.`;

const KEYS_HELP = `
Examples:
  llmgine keys create --name CI --role user --expires 90d
  llmgine keys list --json
  llmgine keys revoke key_4fGq0ZtR1xYw

Exit codes: 0 done; 1 failed, for example no such key; 2 wrong arguments or configuration.`;

const AUDIT_HELP = `
Examples:
  llmgine audit verify
  llmgine audit verify --head "$(cut -d' ' -f2 head.txt)"
  llmgine audit export > audit.jsonl

Exit codes: 0 done, the log is whole; 1 it is not, or cannot be read; 2 wrong arguments or configuration.`;

/** Runs the command line; resolves to the exit code when the command is done. Never rejects. */
export async function runProgram(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.OK;
  const program = new Command('llmgine')
    .description('LLMgine API: keeps conversations with LLM engines alive')
    .version(SERVER_VERSION)
    .helpCommand(false)
    .addHelpText('after', HELP)
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
    .addHelpText('after', SERVE_HELP)
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

  addChatCommand(program, (code) => {
    exitCode = code;
  });

  addSessionsCommands(program, (code) => {
    exitCode = code;
  });

  addDoctorCommand(program, (code) => {
    exitCode = code;
  });

  addInitCommand(program, (code) => {
    exitCode = code;
  });

  for (const [name, help] of [
    ['keys', KEYS_HELP],
    ['audit', AUDIT_HELP],
  ] as const) {
    program.commands.find((command) => command.name() === name)?.addHelpText('after', help);
  }

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
    .option('--json', 'one JSON object')
    .action(async (file: string | undefined, options: VerifyOptions) => {
      const { auditVerify } = await import('./audit.ts');
      exit(await auditVerify(file, options));
    });
  command('head', 'print number and hash of the newest entry, to be kept elsewhere')
    .option('--json', 'one JSON object')
    .action(async (options: AuditOptions) => {
      const { auditHead } = await import('./audit.ts');
      exit(await auditHead(options));
    });
  command('export', 'print all entries, one JSON object a line').action(async (options: AuditOptions) => {
    const { auditExport } = await import('./audit.ts');
    exit(await auditExport(options));
  });
}
