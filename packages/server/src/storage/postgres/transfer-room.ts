import type { IdempotencyRecord, NewSession, SessionRoom, TransferRefusal } from '../types.ts';
import { Counters } from './counters.ts';
import type { Sql } from './database.ts';
import { isMissing, violates } from './errors.ts';
import { IDEMPOTENCY_KEY, Idempotency, idempotencyColumns } from './idempotency.ts';
import { insertSession, type SessionPlace } from './session-insert.ts';

/** Undoes the transaction in which it is thrown. */
export class Refused extends Error {
  readonly refusal: TransferRefusal;

  constructor(refusal: TransferRefusal) {
    super(refusal);
    this.refusal = refusal;
  }
}

/** A session that is to be made, and what has to have room for it. */
export interface Room {
  readonly session: NewSession;
  readonly room: SessionRoom;
  readonly idempotency: IdempotencyRecord | undefined;
}

/** Throws `Refused` before the work is done, where that can be known already. */
export async function refuseEarly(db: Sql, { session, room, idempotency }: Room): Promise<void> {
  if (idempotency && (await new Idempotency(db).get(session, idempotency.idempotencyKey))) {
    throw new Refused('idempotency_exists');
  }
  const counters = new Counters(db);
  if ((await counters.totals()).sessions >= room.maxSessions) throw new Refused('full');
  if (room.maxOfOwner === undefined) return;
  if ((await counters.sessionsOf(session)) >= room.maxOfOwner) throw new Refused('owner_full');
}

/** The session is there, counted and answered. Throws `Refused`. */
export async function settle(
  db: Sql,
  { session, room, idempotency }: Room,
  place: SessionPlace,
): Promise<void> {
  const record = idempotency && idempotencyColumns(idempotency);
  try {
    const { rows } = await insertSession(session, room.maxSessions, record, room.maxOfOwner, place).execute(
      db,
    );
    if (rows.length === 0) throw new Refused('full');
  } catch (error) {
    if (violates(error, IDEMPOTENCY_KEY)) throw new Refused('idempotency_exists');
    if (isMissing(error, 'owners', 'sessions')) throw new Refused('owner_full');
    throw error;
  }
}
