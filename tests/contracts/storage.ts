/** What every implementation of `Storage` has to pass. */
import { describe } from 'vitest';
import { describeAppends } from './storage/appends.ts';
import type { OpenFresh } from './storage/fixtures.ts';
import { describeIsolation } from './storage/isolation.ts';
import { describeMessages } from './storage/messages.ts';
import { describeRestarts } from './storage/restarts.ts';
import { describeRuns } from './storage/runs.ts';
import { describeSessionLists } from './storage/session-lists.ts';
import { describeSessions } from './storage/sessions.ts';

export interface StorageContractOptions {
  /** Why the data does not outlive `close`; the tests of restarts are skipped with it. */
  readonly memoryOnly?: string;
}

/** `openFresh` makes data of its own for each test; see `StorageData`. */
export function describeStorageContract(
  name: string,
  openFresh: OpenFresh,
  options: StorageContractOptions = {},
): void {
  describe(`storage contract: ${name}`, () => {
    describe('appends', () => describeAppends(openFresh));
    describe('sessions', () => describeSessions(openFresh));
    describe('lists of sessions', () => describeSessionLists(openFresh));
    describe('runs', () => describeRuns(openFresh));
    describe('events and messages', () => describeMessages(openFresh));
    describe('isolation', () => describeIsolation(openFresh));
    describe('restarts', () => describeRestarts(openFresh, options.memoryOnly));
  });
}
