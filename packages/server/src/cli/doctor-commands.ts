import type { Command } from 'commander';
import type { DoctorCommandOptions } from './doctor.ts';

const HELP = `
Examples:
  llmgine doctor                       look at everything a start needs
  llmgine doctor --offline             without asking the model
  llmgine doctor --json | jq .status   for programs

Exit codes: 0 nothing is wrong, or there are warnings only; 1 there is a problem; 2 wrong arguments.`;

/** Adds `doctor`; `done` gets the exit code. */
export function addDoctorCommand(program: Command, done: (exitCode: number) => void): void {
  program
    .command('doctor')
    .description('check configuration, data, model and port, and say what to fix; changes nothing')
    .option('--config <file>', 'JSON file with settings')
    .option('--data-dir <folder>', 'folder of the embedded database (default ./data)')
    .option('--host <host>', 'address that the server would listen on')
    .option('--port <port>', 'port that the server would listen on')
    .option('--model <provider:model>', 'default model to check instead')
    .option('--offline', 'do not ask the model')
    .option('--timeout <time>', 'how long the model may take to begin its answer', '15s')
    .option('--json', 'one JSON object')
    .addHelpText('after', HELP)
    .exitOverride()
    .action(async (options: DoctorCommandOptions) => {
      const { doctor } = await import('./doctor.ts');
      done(await doctor(options));
    });
}
