import type { ToolResultPart, Turn } from './conversation.ts';

const VALID = /^[a-zA-Z0-9_-]{1,64}$/;

/**
 * A prepared conversation in which no id of a tool call is used twice, and each has only characters that every provider
 * takes: a session may have begun with a server that counts its calls from 1 in each answer.
 */
export function uniqueCallIds(turns: readonly Turn[]): Turn[] {
  /** The ids, with the last number that was put behind each. */
  const taken = new Map<string, number>();
  let ids: string[] = [];
  return turns.map((turn) => {
    if (turn.role === 'tool') return { ...turn, parts: turn.parts.map((part, n) => renamed(part, ids[n])) };
    ids = [];
    return {
      ...turn,
      parts: turn.parts.map((part) => {
        if (part.type !== 'tool_call') return part;
        const id = freeId(part.tool_call_id, taken);
        ids.push(id);
        return id === part.tool_call_id ? part : { ...part, tool_call_id: id };
      }),
    };
  });
}

/** Results come in the order of their calls. */
function renamed(part: Turn['parts'][number], id: string | undefined): Turn['parts'][number] {
  return id === undefined ? part : { ...(part as ToolResultPart), tool_call_id: id };
}

/** Numbers go on where the same id ended: a long conversation may have it a thousand times. */
function freeId(id: string, taken: Map<string, number>): string {
  const base = VALID.test(id) ? id : `call_${id.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, 40)}`;
  let free = base;
  for (let n = taken.get(base) ?? 1; taken.has(free); ) {
    free = `${base.slice(0, 50)}_${++n}`;
    taken.set(base, n);
  }
  taken.set(free, 1);
  return free;
}
