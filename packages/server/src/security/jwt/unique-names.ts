/** Strings, with the colon that makes a name of one, and what opens and closes objects. */
const TOKENS = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/g;

/**
 * Whether no object in this JSON has a name twice. Which of the two counts differs between parsers, so a provider, a proxy
 * and this server could each see another caller. The text MUST be valid JSON.
 */
export function namesAreUnique(json: string): boolean {
  const objects: Set<string>[] = [];
  for (const [token, colon] of json.matchAll(TOKENS)) {
    if (token === '{') objects.push(new Set());
    else if (token === '}') objects.pop();
    else if (colon !== undefined) {
      const names = objects.at(-1);
      // One name can be written in several ways.
      const name = JSON.parse(token.slice(0, -colon.length)) as string;
      if (names?.has(name)) return false;
      names?.add(name);
    }
  }
  return true;
}
