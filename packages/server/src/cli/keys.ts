/** `llmgine keys`: makes, lists and ends API keys, also beside a running server. */
import { type KeyAdministration, openKeyAdministration } from '../app/key-administration.ts';
import { APIConfig } from '../config.ts';
import { readDuration, readMoment } from './durations.ts';
import { describeFailure, EXIT } from './exit.ts';

/** Where the data is. */
interface DataOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}
interface CreateOptions extends DataOptions {
  readonly name: string;
  readonly role?: string;
  readonly tenant?: string;
  readonly principal?: string;
  readonly scopes?: string;
  readonly expires?: string;
}
interface ChangeOptions extends DataOptions {
  readonly name?: string;
  readonly role?: string;
  readonly scopes?: string;
  readonly expires?: string;
}

type View = Awaited<ReturnType<KeyAdministration['revoke']>>;
/** What people type is checked where it is used. */
type Input = Parameters<KeyAdministration['create']>[0];
type Changes = Parameters<KeyAdministration['change']>[1];

const PAGE = 100;
const ID_WIDTH = 17;

export async function createKey(options: CreateOptions): Promise<number> {
  return administer(options, async (keys) => {
    const { name, role, tenant, principal, scopes, expires } = options;
    const issued = await keys.create({
      name,
      ...(role === undefined ? {} : { role }),
      ...(tenant === undefined ? {} : { tenant_id: tenant }),
      ...(principal === undefined ? {} : { principal_id: principal }),
      ...(scopes === undefined ? {} : { scopes: readScopes(scopes) }),
      ...(expires === undefined ? {} : { expires_at: readExpiry(expires) }),
    } as Input);
    hand(issued, options);
  });
}

export async function listKeys(options: DataOptions): Promise<number> {
  return administer(options, async (keys) => {
    if (options.json !== true) process.stdout.write(`${HEADER}\n`);
    let before: number | undefined;
    do {
      const page = await keys.list({ limit: PAGE, before });
      for (const key of page.keys) {
        process.stdout.write(`${options.json === true ? JSON.stringify(key) : row(key)}\n`);
      }
      before = page.next ?? undefined;
    } while (before !== undefined);
  });
}

export async function changeKey(id: string, options: ChangeOptions): Promise<number> {
  return administer(options, async (keys) => {
    const { name, role, scopes, expires } = options;
    const changed = await keys.change(id, {
      ...(name === undefined ? {} : { name }),
      ...(role === undefined ? {} : { role }),
      ...(scopes === undefined ? {} : { scopes: readScopes(scopes) }),
      ...(expires === undefined ? {} : { expires_at: readExpiry(expires) }),
    } as Changes);
    if (options.json === true) printJson(changed);
    else say(describe(changed));
  });
}

export async function revokeKey(id: string, options: DataOptions): Promise<number> {
  return administer(options, async (keys) => {
    const revoked = await keys.revoke(id);
    if (options.json === true) printJson(revoked);
    else say(`${id} is revoked; running servers refuse it within a second`);
  });
}

export async function rotateKey(
  id: string,
  options: DataOptions & { readonly grace: string },
): Promise<number> {
  return administer(options, async (keys) => {
    hand(await keys.rotate(id, readDuration('--grace', options.grace)), options);
    if (options.json !== true) say(`${id} goes on for ${options.grace}`);
  });
}

/** Resolves to the exit code. Never rejects. */
async function administer(
  { config: file, dataDir }: DataOptions,
  act: (keys: KeyAdministration) => Promise<void>,
): Promise<number> {
  let opened: KeyAdministration | undefined;
  try {
    opened = await openKeyAdministration(new APIConfig(dataDir === undefined ? {} : { dataDir }, { file }));
    await act(opened);
    return EXIT.OK;
  } catch (error) {
    const { line, exitCode } = describeFailure(error);
    say(`llmgine: ${line}`);
    return exitCode;
  } finally {
    // What was to be done is done, or was said to have failed.
    await opened?.close().catch(() => {});
  }
}

/** The key alone is on standard output, so that it can go where it is needed without being seen. */
function hand(all: View & { readonly key: string }, { json }: DataOptions): void {
  if (json === true) {
    printJson(all);
    return;
  }
  const { key, ...issued } = all;
  process.stdout.write(`${key}\n`);
  say(describe(issued));
  say('This is the only time that the key is shown: what is stored is a digest of it.');
}

function describe(key: View): string {
  const scopes = key.scopes === null ? '' : ` limited to ${key.scopes.join(', ')}`;
  const until = key.expires_at === null ? 'never expires' : `expires at ${key.expires_at}`;
  const owner = `principal ${key.principal_id} of tenant ${key.tenant_id}`;
  return `${key.id} "${key.name}": role ${key.role}${scopes}, ${owner}, ${until}`;
}

const HEADER = columns('ID', 'STATUS', 'ROLE', 'TENANT', 'PRINCIPAL', 'LAST USED', 'EXPIRES', 'NAME');

function row(key: View): string {
  const { id, status, role, tenant_id, principal_id, last_used_at, expires_at, name } = key;
  return columns(
    id,
    status,
    role,
    tenant_id,
    principal_id,
    last_used_at ?? 'never',
    expires_at ?? 'never',
    name,
  );
}

function columns(...values: readonly [string, ...string[]]): string {
  const widths = [ID_WIDTH, 8, 7, 12, ID_WIDTH + 1, 25, 25];
  return values.map((value, index) => value.padEnd(widths[index] ?? 0)).join(' ');
}

/** `all` takes the limits away. */
function readScopes(text: string): string[] | null {
  return text === 'all' ? null : text.split(',').map((scope) => scope.trim());
}

/** `never` takes it away. */
function readExpiry(text: string): string | null {
  return text === 'never' ? null : readMoment('--expires', text);
}

function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
