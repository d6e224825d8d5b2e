/** Builds what is made of other sources than those that are there now; each once, however many ask for it. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface Part {
  readonly name: string;
  /** Where the result belongs, with a stamp of what it was made of. */
  readonly dist: string;
  /** Whether nobody else writes into that folder: it is replaced as a whole. */
  readonly owns: boolean;
  /** Files and folders that it is made of. */
  readonly sources: readonly string[];
  /** Writes it into an empty folder. */
  readonly build: (folder: string) => Promise<void>;
}

export interface Place {
  /** What the paths of a part begin at. */
  readonly root: string;
  /** For what is not finished; on the same disk. */
  readonly cache: string;
  readonly say: (text: string) => void;
}

const STAMP = '.sources';
/** Folders of whoever has the lock. */
const [NEW, OLD] = ['new', 'old'];
/** Somebody else is building: waited for so long. */
const LOCK_WAIT_MS = 300_000;
const MESSAGE_LINES = 20;

/** Never rejects: what was there stays, and it says what went wrong. */
export async function buildStale(parts: readonly Part[], place: Place): Promise<void> {
  try {
    await buildLocked(parts, place);
  } catch (error) {
    // For example on a disk that is read-only.
    const names = parts.map(({ name }) => name).join(' and ');
    place.say(`${names} cannot be built; the server starts without.\n${messageOf(error)}\n`);
  }
}

async function buildLocked(parts: readonly Part[], place: Place): Promise<void> {
  if (parts.every((part) => isFresh(part, digest(part, place), place))) return;
  using _lock = lock(place);
  // Of one that was killed.
  for (const name of [NEW, OLD]) rmSync(join(place.cache, name), { recursive: true, force: true });
  for (const part of parts) {
    const sources = digest(part, place);
    // Whoever had the lock before may have built it.
    if (!isFresh(part, sources, place)) await rebuild(part, sources, place);
  }
}

/** What was there is replaced when the new one is whole. */
async function rebuild(part: Part, sources: string, { root, cache, say }: Place): Promise<void> {
  const begun = Date.now();
  const [folder, old] = [join(cache, NEW), join(cache, OLD)];
  const dist = join(root, part.dist);
  say(`Building ${part.name} … `);
  try {
    mkdirSync(folder);
    await part.build(folder);
    writeFileSync(join(folder, STAMP), sources);
    if (part.owns) {
      if (existsSync(dist)) renameSync(dist, old);
      renameSync(folder, dist);
    } else {
      mkdirSync(dist, { recursive: true });
      // The stamp comes last: with it, all is there.
      const names = readdirSync(folder).filter((name) => name !== STAMP);
      for (const name of [...names, STAMP]) renameSync(join(folder, name), join(dist, name));
    }
    say(`${((Date.now() - begun) / 1000).toFixed(1)} s\n`);
  } catch (error) {
    say(`failed; the server starts without it.\n${messageOf(error)}\n`);
  } finally {
    for (const left of [folder, old]) rmSync(left, { recursive: true, force: true });
  }
}

function isFresh({ dist }: Part, sources: string, { root }: Place): boolean {
  const stamp = join(root, dist, STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === sources;
}

function digest({ sources }: Part, { root }: Place): string {
  const hash = createHash('sha256');
  for (const file of sources.flatMap((source) => filesOf(join(root, source)))) {
    hash
      .update(`${file.slice(root.length)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

function filesOf(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Two at once would build into each other. A lock of the operating system: it ends with its process. */
function lock({ cache }: Place): Disposable {
  mkdirSync(cache, { recursive: true });
  const database = new DatabaseSync(join(cache, 'lock.sqlite'), { timeout: LOCK_WAIT_MS });
  database.exec('BEGIN EXCLUSIVE');
  return { [Symbol.dispose]: () => database.close() };
}

/** The beginning of what was said: what follows is where in the tools it went wrong. */
function messageOf(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
  const text = said || (error instanceof Error ? error.message : String(error));
  return text.trim().split('\n').slice(0, MESSAGE_LINES).join('\n');
}
