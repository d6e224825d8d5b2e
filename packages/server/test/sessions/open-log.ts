import { onTestFinished, vi } from 'vitest';
import { createSession, ENGINE } from '../../../../tests/contracts/storage/fixtures.ts';
import { createLocalCluster } from '../../src/cluster/local.ts';
import type { Cluster } from '../../src/cluster/types.ts';
import { APIConfig } from '../../src/config.ts';
import { SessionLog, type SessionLogOptions } from '../../src/sessions/log.ts';
import type { EventSink } from '../../src/sessions/subscription.ts';
import type { LogEvent } from '../../src/storage/log-event.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { SessionKey, Storage } from '../../src/storage/types.ts';

export interface OpenLog {
  readonly storage: Storage;
  readonly cluster: Cluster;
  readonly log: SessionLog;
  readonly key: SessionKey;
  /** The transactions so far: how many events each of their appends had. */
  readonly commits: number[][];
  readonly newSession: () => Promise<SessionKey>;
}

export interface OpenLogOptions extends Pick<SessionLogOptions, 'onCommit'> {
  /** What the log is given in place of the cluster. */
  readonly wrap?: (cluster: Cluster) => Cluster;
}

/** A log on a real database in memory, with one session. Closed when the test ends. */
export async function openLog(options: OpenLogOptions = {}): Promise<OpenLog> {
  const { wrap = (cluster) => cluster, ...logOptions } = options;
  const storage = await openStorage(new APIConfig({ databaseUrl: ':memory:' }, { env: {} }).values);
  onTestFinished(() => storage.close());
  const cluster = wrap(
    createLocalCluster({
      onListenerError: (error) => {
        throw error;
      },
    }),
  );
  const log = new SessionLog({ storage, cluster, ...logOptions });
  const newSession = () => createSession(storage, { engine: ENGINE });
  const key = await newSession();
  const commits: number[][] = [];
  const { append } = storage;
  vi.spyOn(storage, 'append').mockImplementation((batch) => {
    commits.push(batch.map(({ events }) => events.length));
    return append.call(storage, batch);
  });
  return { storage, cluster, log, key, commits, newSession };
}

/** A sink that takes everything, and remembers it. */
export function recordingSink(): EventSink & { readonly events: LogEvent[]; readonly failures: unknown[] } {
  const events: LogEvent[] = [];
  const failures: unknown[] = [];
  return {
    events,
    failures,
    write: (event) => {
      events.push(event);
      return true;
    },
    failed: (error) => void failures.push(error),
  };
}

export function seqsOf(events: readonly { readonly seq: number }[]): number[] {
  return events.map(({ seq }) => seq);
}

/** 1 to n. */
export function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1);
}
