import type { IdempotencyRecord, NewSession, SessionCreation } from '../types.ts';
import type { Counters } from './counters.ts';
import type { Database } from './database.ts';
import type { Idempotency } from './idempotency.ts';
import type { Room } from './room.ts';
import type { SessionRows } from './session-rows.ts';

/** In one transaction, so that a commit never holds the event loop for long. */
const MAX_BATCH = 256;

export interface Creation {
  readonly session: NewSession;
  readonly maxSessions: number;
  readonly maxOfOwner: number;
  readonly idempotency: IdempotencyRecord | undefined;
}

interface Waiting {
  readonly creation: Creation;
  readonly resolve: (outcome: SessionCreation) => void;
  readonly reject: (error: unknown) => void;
}

interface Owner {
  readonly session: NewSession;
  sessions: number;
  added: number;
}

interface Parts {
  readonly rows: SessionRows;
  readonly counters: Counters;
  readonly idempotency: Idempotency;
  readonly room: Room;
  readonly run: <Result>(work: () => Result) => Result;
}

/** New sessions: those that come together are one transaction, because a commit costs more than all of its rows. */
export class Creations {
  readonly #database: Database;
  readonly #parts: Parts;
  #waiting: Waiting[] = [];

  constructor(database: Database, parts: Parts) {
    this.#database = database;
    this.#parts = parts;
  }

  create(creation: Creation): Promise<SessionCreation> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(this.#flush);
      this.#waiting.push({ creation, resolve, reject });
    });
  }

  readonly #flush = (): void => {
    const batch = this.#waiting.splice(0, MAX_BATCH);
    if (this.#waiting.length > 0) setImmediate(this.#flush);
    if (this.#settle(batch) || batch.length === 1) return;
    // Nothing of it was done, maybe because of a single one: the others have nothing to do with that.
    for (const one of batch) this.#settle([one]);
  };

  /** False when it failed; a single one has heard of it then. */
  #settle(batch: readonly Waiting[]): boolean {
    const { run, room } = this.#parts;
    try {
      const outcomes = run(() => room.take(() => this.#apply(batch.map(({ creation }) => creation))));
      for (const [index, outcome] of outcomes.entries()) batch[index]?.resolve(outcome);
      return true;
    } catch (error) {
      if (batch.length === 1) batch[0]?.reject(error);
      return false;
    }
  }

  #apply(batch: readonly Creation[]): SessionCreation[] {
    const { counters, idempotency, rows } = this.#parts;
    return this.#database.transaction(() => {
      let { sessions } = counters.totals();
      let engines = 0;
      const owners = new Map<string, Owner>();
      const outcomes = batch.map((creation): SessionCreation => {
        const { session } = creation;
        if (creation.idempotency && idempotency.has(creation.idempotency)) return 'idempotency_exists';
        if (sessions >= creation.maxSessions) return 'full';
        const owner = this.#owner(owners, session);
        if (owner.sessions + owner.added >= creation.maxOfOwner) return 'owner_full';
        rows.insert(session);
        if (creation.idempotency) idempotency.keep(creation.idempotency);
        sessions++;
        owner.added++;
        if (session.engine) engines++;
        return 'created';
      });
      for (const { session, added } of owners.values()) if (added > 0) counters.addSessions(session, added);
      if (engines > 0) counters.addEngines(engines);
      return outcomes;
    });
  }

  #owner(owners: Map<string, Owner>, session: NewSession): Owner {
    const id = `${session.tenantId}\n${session.ownerId}`;
    let owner = owners.get(id);
    if (!owner) {
      owner = { session, sessions: this.#parts.counters.sessionsOf(session), added: 0 };
      owners.set(id, owner);
    }
    return owner;
  }
}
