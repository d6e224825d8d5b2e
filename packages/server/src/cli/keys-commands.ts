import type { Command } from 'commander';

type Actions = typeof import('./keys.ts');

/** Adds `keys` and what can be done with them; `done` gets the exit code. */
export function addKeysCommands(program: Command, done: (exitCode: number) => void): void {
  const keys = program
    .command('keys')
    .description('make, list and end API keys; also beside a running server')
    .helpCommand(false)
    .exitOverride();
  const run = async (act: (actions: Actions) => Promise<number>) =>
    done(await act(await import('./keys.ts')));
  const add = (name: string, description: string) =>
    keys
      .command(name)
      .description(description)
      .option('--config <file>', 'JSON file with settings')
      .option('--data-dir <folder>', 'folder of the embedded database (default ./data)')
      .option('--json', name === 'list' ? 'one JSON object a line' : 'the key as a JSON object')
      .exitOverride();

  add('create', 'make a key, and print it this once on standard output')
    .requiredOption('--name <name>', 'what it is for')
    .option('--role <role>', 'admin, user or viewer (default user)')
    .option('--tenant <id>', 'tenant (default default)')
    .option('--principal <id>', 'whose key it is (default a new one; "operator" is who calls without a key)')
    .option('--scopes <list>', 'permissions that it is limited to, separated by commas')
    .option('--expires <when>', 'such as 90d or 2030-01-31 (default never)')
    .action((options: Parameters<Actions['createKey']>[0]) => run((actions) => actions.createKey(options)));

  add('list', 'list the keys, newest first').action((options: Parameters<Actions['listKeys']>[0]) =>
    run((actions) => actions.listKeys(options)),
  );

  add('change', 'change what a key may do')
    .argument('<id>', 'id of the key')
    .option('--name <name>', 'what it is for')
    .option('--role <role>', 'admin, user or viewer')
    .option('--scopes <list>', 'permissions that it is limited to, or all')
    .option('--expires <when>', 'such as 90d or 2030-01-31, or never')
    .action((id: string, options: Parameters<Actions['changeKey']>[1]) =>
      run((actions) => actions.changeKey(id, options)),
    );

  add('revoke', 'end a key for good, within a second')
    .argument('<id>', 'id of the key')
    .action((id: string, options: Parameters<Actions['revokeKey']>[1]) =>
      run((actions) => actions.revokeKey(id, options)),
    );

  add('rotate', 'make a new key for the same principal, and print it; the old one goes on for a while')
    .argument('<id>', 'id of the key')
    .option('--grace <time>', 'how long the old key goes on, such as 12h; 0s ends it', '24h')
    .action((id: string, options: Parameters<Actions['rotateKey']>[1]) =>
      run((actions) => actions.rotateKey(id, options)),
    );
}
