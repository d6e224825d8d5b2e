import type { Command } from 'commander';
import type { InitOptions } from './init.ts';

const HELP = `
Examples:
  llmgine init                          ask, and make a project here or in a folder
  llmgine init shop --yes               make it in ./shop, without questions
  llmgine init shop --name my-shop --json

Files that are there already are never overwritten.
Exit codes: 0 it is made; 1 it is not, nothing was written; 2 wrong arguments; 130 given up at a question.`;

/** Adds `init`; `done` gets the exit code. */
export function addInitCommand(program: Command, done: (exitCode: number) => void): void {
  program
    .command('init')
    .description('make a project that extends the server: an engine, a tool, tests')
    .argument('[folder]', 'where (default: ask, or this folder)')
    .option('--name <name>', 'name of the package (default: that of the folder)')
    .option('--no-example-tests', 'without the folder test')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'one JSON object with what was written; does not ask')
    .addHelpText('after', HELP)
    .exitOverride()
    .action(async (folder: string | undefined, options: InitOptions) => {
      const { init } = await import('./init.ts');
      done(await init(folder, options));
    });
}
