import type { APIConfig } from '../config.ts';
import { BrowserSessions } from '../security/browser-sessions/service.ts';
import { Sweeper } from '../security/browser-sessions/sweeper.ts';
import { Uses } from '../security/uses.ts';
import type { Storage } from '../storage/types.ts';
import type { Keys } from './keys.ts';

/** A use is written this often at most; more often where sessions are short. */
const TOUCH_MS = 60_000;
const TOUCHES_OF_IDLE_TIME = 10;

export interface BrowserSessionParts {
  readonly config: APIConfig;
  readonly storage: Pick<Storage, 'browserSessions'>;
  readonly keys: Keys;
  readonly report: (stage: string, error: unknown) => void;
  readonly opened: AsyncDisposableStack;
}

/** Who browsers are, by their cookies. */
export function createBrowserSessions(parts: BrowserSessionParts): BrowserSessions {
  const { config, keys, report, opened } = parts;
  const { browserSessions: storage } = parts.storage;
  const idleMs = config.values.browserSessionIdleTimeout * 1000;
  const uses = new Uses({
    stage: 'last use of browser sessions',
    intervalMs: Math.min(TOUCH_MS, idleMs / TOUCHES_OF_IDLE_TIME),
    write: (all) => storage.used(all),
    now: Date.now,
    report,
  });
  opened.defer(() => uses.stop());
  const sweeper = new Sweeper({ storage, report });
  opened.defer(() => sweeper.stop());
  return new BrowserSessions({ config, storage, keys: keys.verifier, uses });
}
