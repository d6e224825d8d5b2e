/**
 * What every implementation of `Storage` has to pass. A title names the promise that its tests prove.
 *
 * What the server promises to its clients, of which the storage keeps a part:
 *
 * - P1: a session is one ordered log, and `seq` grows by exactly one.
 * - P2: what was acknowledged survives.
 * - P3: who reads on from a place gets everything after it once, or can tell that it is not there any more.
 * - P5: ids that a client chose make a call that changes something idempotent.
 * - P6: a run ends, once, and nothing follows its end.
 *
 * What the storage promises to the server besides:
 *
 * - S1: nobody sees or changes what is not theirs.
 * - S2: pages together are the whole list, whatever changes meanwhile.
 * - S3: counters are exact.
 * - S4: what fails or is refused changes nothing.
 * - S5: queries answer what was written.
 * - S6: what is removed is what was to be removed, all of it, in slices of bounded size.
 */
import { describe } from 'vitest';
import { describeAppends } from './storage/appends.ts';
import { describeAudit } from './storage/audit.ts';
import { describeBrowserSessions } from './storage/browser-sessions.ts';
import { describeBudgets } from './storage/budgets.ts';
import { describeCompaction } from './storage/compaction.ts';
import { describeFiles } from './storage/files.ts';
import type { OpenFresh } from './storage/fixtures.ts';
import { describeIdempotency } from './storage/idempotency.ts';
import { describeIsolation } from './storage/isolation.ts';
import { describeKeys } from './storage/keys.ts';
import { describeMessages } from './storage/messages.ts';
import { describePruning } from './storage/pruning.ts';
import { describeRecovery } from './storage/recovery.ts';
import { describeRequests } from './storage/requests.ts';
import { describeRestarts } from './storage/restarts.ts';
import { describeRuns } from './storage/runs.ts';
import { describeSessionLists } from './storage/session-lists.ts';
import { describeSessions } from './storage/sessions.ts';
import { describeTransfers } from './storage/transfers.ts';
import { describeUsage } from './storage/usage.ts';
import { describeWaitingRuns } from './storage/waiting-runs.ts';

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
    describe('runs of all sessions', () => describeWaitingRuns(openFresh));
    describe('requests to people', () => describeRequests(openFresh));
    describe('runs that go on', () => describeRecovery(openFresh, options.memoryOnly));
    describe('events and messages', () => describeMessages(openFresh));
    describe('compaction', () => describeCompaction(openFresh));
    describe('pruning', () => describePruning(openFresh));
    describe('idempotency', () => describeIdempotency(openFresh, options.memoryOnly));
    describe('files', () => describeFiles(openFresh, options.memoryOnly));
    describe('forks, exports and imports', () => describeTransfers(openFresh, options.memoryOnly));
    describe('keys', () => describeKeys(openFresh, options.memoryOnly));
    describe('browser sessions', () => describeBrowserSessions(openFresh, options.memoryOnly));
    describe('usage', () => describeUsage(openFresh));
    describe('budgets', () => describeBudgets(openFresh, options.memoryOnly));
    describe('the audit log', () => describeAudit(openFresh, options.memoryOnly));
    describe('isolation (S1)', () => describeIsolation(openFresh));
    describe('restarts', () => describeRestarts(openFresh, options.memoryOnly));
  });
}
