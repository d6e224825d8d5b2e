/** Names for tools that come from elsewhere, which providers accept. */
import { createHash } from 'node:crypto';

/** What providers take. */
const MAX_NAME = 64;
const MAX_GROUP = 30;
const SEPARATOR = '__';
const HASH_LENGTH = 8;

/** What the names of a group's tools begin with: `GROUP__`. */
export function groupPrefix(group: string): string {
  return acceptable(group, MAX_GROUP) + SEPARATOR;
}

/**
 * The full names of a group's tools, by their own names. They depend on nothing but the group, so that they are the same
 * after a restart; where two would be equal, or one is taken already, one of them gets a hash of its own name.
 */
export function groupToolNames(
  group: string,
  tools: readonly string[],
  isTaken: (name: string) => boolean,
): ReadonlyMap<string, string> {
  const prefix = groupPrefix(group);
  const room = MAX_NAME - prefix.length;
  const plain = (tool: string) => acceptable(tool, room);
  const names = new Map<string, string>();
  const used = new Set<string>();
  // Those that need no change first: what another tool is called must not change theirs.
  const [exact, changed] = [
    tools.filter((tool) => plain(tool) === tool),
    tools.filter((tool) => plain(tool) !== tool),
  ];
  for (const tool of [...exact, ...changed]) {
    if (names.has(tool)) continue;
    const free = [prefix + plain(tool), prefix + hashed(tool, room)].find(
      (name) => !used.has(name) && !isTaken(name),
    );
    if (free === undefined) continue;
    used.add(free);
    names.set(tool, free);
  }
  return names;
}

function acceptable(text: string, max: number): string {
  const safe = sanitised(text);
  return safe !== '' && safe.length <= max ? safe : hashed(text, max);
}

function hashed(text: string, max: number): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
  return `${sanitised(text).slice(0, max - HASH_LENGTH - 1)}_${hash}`;
}

function sanitised(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]/g, '_');
}
