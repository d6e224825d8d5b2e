/** A token that says when it was due. */

/** Milliseconds since the Unix epoch. */
export type Due = number;

const TURN = 10_000_000;
export const TOKEN_LENGTH = 8;

/** Eight characters: the last seven digits of the millisecond, and a space. */
export function tokenOf(due: Due): string {
  return `${String(Math.floor(due) % TURN).padStart(TOKEN_LENGTH - 1, '0')} `;
}

/** When each token of a text was due, as far from `now` as possible at all. */
export function* duesOf(text: string, now: Due): Generator<Due> {
  const start = Math.floor(now / TURN) * TURN;
  for (let at = 0; at + TOKEN_LENGTH <= text.length; at += TOKEN_LENGTH) {
    const due = start + Number(text.slice(at, at + TOKEN_LENGTH - 1));
    yield due > now + TURN / 2 ? due - TURN : due;
  }
}
