/**
 * The client of the SDK on a network that is cut again and again, and a server that is killed now and then.
 * `CHAOS_SEED` and `CHAOS_ROUNDS`: see random.ts.
 */
import { setTimeout as later } from 'node:timers/promises';
import type { SessionEvent } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { tempDir } from '../helpers/app.ts';
import { check } from './checker.ts';
import { readExecutions } from './executions.ts';
import { isDelta } from './facts.ts';
import { startFaultySession } from './faulty-session.ts';
import { type FinalLog, finalLog } from './final-log.ts';
import { History } from './history.ts';
import { keepOnFailure } from './keep.ts';
import { randomMoment } from './moments.ts';
import { chaosRandom, chaosRounds, type Random } from './random.ts';
import { SdkClient } from './sdk-client.ts';
import type { TcpProxy } from './tcp-proxy.ts';

const ROUNDS = chaosRounds(4);
const CLIENTS = ['anna', 'ben'];
const MOMENT = { events: 60, ms: 150 };
const DISTANCE = { latencyMs: 2, jitterMs: 6 };
const NOTES = 4;

test(
  'random cuts, silences and restarts show in nothing that the client of the SDK says: no event is missed or seen twice, and nothing is done twice',
  async () => {
    const [random, history] = [chaosRandom(), new History()];
    const { server, network, session, clients, executions } = await startConversation(history, random);
    const found: { violations?: readonly string[]; log?: FinalLog } = {};
    keepOnFailure('client SDK', random, history, () => ({ ...found, crashes: server.crashes }));

    const readings: Promise<SessionEvent[]>[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      const turns = clients.map((client) => takeTurn(client, round, random.fork()));
      for (const turn of turns) turn.catch(() => {});
      readings.push(...turns);
      for (let n = random.int(1, 3); n > 0; n--) {
        await randomMoment(random, history, MOMENT);
        await disturb(network, random);
      }
      if (round % 6 === 3) await server.restart();
      if (round % 3 === 0) await Promise.all(turns);
    }
    const runs = await Promise.all(readings);

    const log = await finalLog(server.url, session);
    found.log = log;
    const events = log.readings.rest ?? [];
    await history.until(() => clients.every(({ seq }) => seq >= (events.at(-1)?.seq ?? 0)));
    history.executed(...readExecutions(executions));
    found.violations = check(history, [log], { allCompleted: true, caughtUp: CLIENTS });
    expect(found.violations).toEqual([]);
    expect(server.crashes).toEqual([]);
    expect(Math.min(...clients.map(({ connections }) => connections))).toBeGreaterThan(ROUNDS / 2);
    for (const seen of runs) {
      const runId = seen.at(-1)?.run_id;
      const kept = (event: SessionEvent) => event.run_id === runId && !isDelta(event);
      expect(seen.filter(kept)).toEqual(events.filter(kept));
      expect(seen.every(({ seq }, n) => n === 0 || seq > (seen[n - 1]?.seq ?? 0))).toBe(true);
    }
  },
  60_000 + ROUNDS * 10_000,
);

async function startConversation(history: History, random: Random) {
  const env = { LLMGINE_API_DATA_DIR: await tempDir() };
  const faulty = await startFaultySession({ history, random, env, distance: DISTANCE });
  const { network, session } = faulty;
  const clients = CLIENTS.map(
    (name) => new SdkClient({ name, session, url: network.url(), history, random: random.fork() }),
  );
  await Promise.all(clients.map(({ session: own }) => own.connect()));
  return { ...faulty, clients };
}

/** One of the things that networks do. */
async function disturb(network: TcpProxy, random: Random): Promise<void> {
  const kind = random.int(0, 4);
  if (kind <= 1) network.cut();
  else if (kind === 2) network.cutAfter(random.int(1, 3_000), 'toClient');
  else if (kind === 3) network.cutAfter(random.int(1, 600), 'toServer');
  else {
    network.set({ flow: 'swallow' });
    await later(random.int(1, 300));
    network.heal();
    network.set(DISTANCE);
    network.cut();
  }
}

/** A prompt, which a loop reads, and events meanwhile; sometimes the person changes their mind. */
async function takeTurn(client: SdkClient, round: number, random: Random): Promise<SessionEvent[]> {
  // Mostly without a tool of a client: who loses the answer to a claim waits until it has run out.
  const kind = round % 4 === 3 ? 3 : random.pick([1, 2]);
  const run = client.session.prompt(`${client.name} ${round * 4 + kind}`);
  const reading = client.read(run, random);
  const isCancelled = random.chance(0.1);
  for (let n = 1; n <= NOTES; n++) {
    await client.session.publish('custom:note', { of: client.name, round, n });
    // It may have ended before.
    if (isCancelled && n === 2) await run.cancel();
  }
  return reading;
}
