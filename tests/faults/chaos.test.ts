/**
 * A conversation that goes on while its server is killed again and again; everybody answers what it asks people.
 * `CHAOS_SEED` and `CHAOS_ROUNDS`: see random.ts.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { tempDir } from '../helpers/app.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { check } from './checker.ts';
import { readExecutions } from './executions.ts';
import { startFaultySession } from './faulty-session.ts';
import { type FinalLog, finalLog } from './final-log.ts';
import { History } from './history.ts';
import { keepOnFailure } from './keep.ts';
import { randomMoment, somethingIsAsked } from './moments.ts';
import { chaosRandom, chaosRounds, type Random } from './random.ts';
import { ReconnectingClient } from './reconnecting-client.ts';
import { Respondent } from './respondent.ts';

/** On each storage. */
const ROUNDS = chaosRounds(10);
const CLIENTS = ['anna', 'ben', 'cleo'];
/** Where a server is killed: anywhere in what a round does, and sometimes after it. */
const MOMENT = { events: 120, ms: 400 };
/** Between the clients and the server. */
const DISTANCE = { latencyMs: 5, jitterMs: 15 };
/** Milliseconds that people think at most. */
const THINKING = 60;
/** After something was asked: on the way of its run into the park, and in it. */
const PARKING = { events: 20, ms: 60 };
const NOTES = 6;

interface TestStorage {
  readonly env: Record<string, string>;
  /** Called when no server runs. */
  readonly verify: () => void;
}

const STORAGES: readonly (readonly [name: string, start: () => Promise<TestStorage>])[] = [
  [
    'SQLite',
    async () => {
      const dir = await tempDir();
      const verify = () => {
        const database = new DatabaseSync(join(dir, 'llmgine.db'));
        expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
        database.close();
      };
      return { env: { LLMGINE_API_DATA_DIR: dir }, verify };
    },
  ],
  [
    'Postgres',
    async () => {
      const { url } = await testDatabase();
      return { env: { LLMGINE_API_DATABASE_URL: url, LLMGINE_API_RUN_LEASE: '1' }, verify: () => {} };
    },
  ],
];

describe.each(STORAGES)('on %s', (name, startStorage) => {
  test(
    'kill -9 at random moments breaks no promise',
    async () => {
      const [random, history] = [chaosRandom(), new History()];
      const storage = await startStorage();
      const conversation = await startConversation(storage, history, random);
      const { server, network, session, clients, people, executions } = conversation;
      const found: { violations?: readonly string[]; log?: FinalLog } = {};
      keepOnFailure(`kill -9 on ${name}`, random, history, () => ({
        ...found,
        crashes: server.crashes,
        server: server.tail,
      }));

      const work: Promise<unknown>[] = [];
      let killsWhileAsked = 0;
      for (let round = 1; round <= ROUNDS; round++) {
        const turn = Promise.all(clients.map((client) => takeTurn(client, round, random.fork())));
        work.push(turn);
        turn.catch(() => {});
        // Nobody answers: what is asked is still open when the server is killed.
        const isHeld = round % 3 === 2;
        if (isHeld) {
          for (const person of people) person.hold();
          const asked = somethingIsAsked(history).then(() => true);
          if (await Promise.race([asked, Promise.all(work).then(() => false)])) killsWhileAsked++;
        }
        await randomMoment(random, history, isHeld ? PARKING : MOMENT);
        // What is on its way is lost or arrives: the server may have done what nobody has heard of.
        if (random.chance(0.7)) network.cut();
        await server.restart();
        for (const person of people) person.release();
        // Otherwise the next kill hits what follows from this one; a run that too many kills hit is given up.
        if (round % 4 === 0 || random.chance(0.7)) await turn;
      }
      await Promise.all(work);
      await Promise.all(people.map((person) => person.settled()));

      const log = await finalLog(server.url, session);
      found.log = log;
      const head = log.readings.rest?.at(-1)?.seq ?? 0;
      await history.until(() => clients.every(({ seq }) => seq >= head));
      history.executed(...readExecutions(executions));
      found.violations = check(history, [log], { allCompleted: true, caughtUp: CLIENTS });
      expect(found.violations).toEqual([]);
      expect(server.crashes).toEqual([]);
      expect(server.starts).toBe(ROUNDS + 1);
      expect(killsWhileAsked > 0).toBe(ROUNDS >= 2);
      await Promise.all(clients.map((client) => client.stop()));
      await server.kill();
      storage.verify();
    },
    60_000 + ROUNDS * 10_000,
  );
});

async function startConversation(storage: TestStorage, history: History, random: Random) {
  const { env } = storage;
  const faulty = await startFaultySession({ history, random, env, distance: DISTANCE });
  const { network, session } = faulty;
  const url = () => `${network.url('ws')}/api/sessions/${session}/ws`;
  const people = CLIENTS.map(() => {
    const restUrl = () => `${network.url()}/api/sessions/${session}`;
    return new Respondent({ history, session, url: restUrl, random: random.fork(), thinkMs: THINKING });
  });
  const clients = await Promise.all(
    CLIENTS.map((name, n) => {
      const onRequest = people[n]?.onRequest ?? null;
      return ReconnectingClient.start({ name, session, url, history, random: random.fork(), onRequest });
    }),
  );
  return { ...faulty, clients, people };
}

/** A prompt and events meanwhile; sometimes the client loses its connection, or changes its mind. */
async function takeTurn(client: ReconnectingClient, round: number, random: Random): Promise<void> {
  const run_id = randomUUID();
  const answered = client.command('prompt', { prompt: `${client.name} ${round}` }, { run_id });
  const [lost, cancelled] = [random.chance(0.2), random.chance(0.1)];
  for (let n = 1; n <= NOTES; n++) {
    await client.publish('custom:note', { of: client.name, round, n });
    if (lost && n === 2) client.drop();
    // It may have ended before.
    if (cancelled && n === 4) client.cancel(run_id).catch(() => {});
  }
  await answered;
}
