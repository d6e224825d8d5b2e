import type { Command } from 'commander';
import { withServer } from './server-options.ts';

type Actions = typeof import('./sessions.ts');

const HELP = `
Examples:
  llmgine sessions ls --status running
  llmgine sessions ls --metadata customer=7 --json | jq -r .session_id
  llmgine sessions export SESSION -o talk.jsonl
  llmgine sessions export SESSION | llmgine sessions import --url https://elsewhere.example

Exit codes: 0 done; 1 failed, for example no such session; 2 wrong arguments; 3 no server answers.`;

/** Adds `sessions` and what can be done with them; `done` gets the exit code. */
export function addSessionsCommands(program: Command, done: (exitCode: number) => void): void {
  const sessions = program
    .command('sessions')
    .description('list, look at, copy, move and remove the sessions of a running server')
    .helpCommand(false)
    .addHelpText('after', HELP)
    .exitOverride();
  const run = async (act: (actions: Actions) => Promise<number>) =>
    done(await act(await import('./sessions.ts')));
  const add = (name: string, description: string, examples: string) =>
    withServer(sessions.command(name).description(description)).addHelpText(
      'after',
      `\nExamples:\n  ${examples}`,
    );
  const addOne = (name: string, description: string, examples: string) =>
    add(name, description, examples).argument('<id>', 'id of the session');

  add('ls', 'list sessions, newest first', 'llmgine sessions ls --status idle --limit 20')
    .option('--status <status>', 'running, idle or failed')
    .option('--metadata <key=value>', 'sessions with this metadata; may be repeated', collect)
    .option('--limit <count>', 'how many at most (default all)')
    .option('--json', 'one JSON object a line')
    .action((options: Parameters<Actions['listSessions']>[0]) =>
      run(({ listSessions }) => listSessions(options)),
    );

  addOne('show', 'a session and its last messages', 'llmgine sessions show SESSION --messages 3')
    .option('--messages <count>', 'how many messages', '10')
    .option('--json', 'one JSON object')
    .action((id: string, options: Parameters<Actions['showSession']>[1]) =>
      run(({ showSession }) => showSession(id, options)),
    );

  add('rm', 'remove sessions for good', 'llmgine sessions rm SESSION OTHER')
    .argument('<id...>', 'ids of sessions')
    .option('--json', 'one JSON object a line')
    .action((ids: string[], options: Parameters<Actions['removeSessions']>[1]) =>
      run(({ removeSessions }) => removeSessions(ids, options)),
    );

  addOne('fork', 'copy a session, and print the id of the copy', 'llmgine sessions fork SESSION --at MESSAGE')
    .option('--at <message>', 'up to this message, the last of a run (default: all)')
    .option('--name <name>', 'name of the copy')
    .option('--json', 'one JSON object')
    .action((id: string, options: Parameters<Actions['forkSession']>[1]) =>
      run(({ forkSession }) => forkSession(id, options)),
    );

  addOne('export', 'write a session as JSON Lines', 'llmgine sessions export SESSION -o talk.jsonl')
    .option('-o, --output <file>', 'to this file, which must not be there yet (default: standard output)')
    .action((id: string, options: Parameters<Actions['exportSession']>[1]) =>
      run(({ exportSession }) => exportSession(id, options)),
    );

  add(
    'import',
    'make a session from an export, and print its id',
    'llmgine sessions import talk.jsonl\n  llmgine sessions export SESSION | llmgine sessions import',
  )
    .argument('[file]', 'an export, or - (default: standard input)')
    .option('--json', 'one JSON object')
    .action((file: string | undefined, options: Parameters<Actions['importSession']>[1]) =>
      run(({ importSession }) => importSession(file, options)),
    );
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
