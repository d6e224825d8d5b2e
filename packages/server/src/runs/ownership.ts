import type { Storage } from '../storage/types.ts';

/** How often the lease is renewed while it lasts. */
const RENEWALS = 3;

export interface OwnershipOptions {
  readonly storage: Storage;
  /** The lease had run out: what this process executes, somebody else may execute, too. */
  readonly onLost: () => void;
  /** After each renewal: others may be gone. Its failure is reported. */
  readonly onRenewed: () => Promise<void>;
  readonly report: (stage: string, error: unknown) => void;
}

/** Keeps the claim of this process on its runs, where several processes share the storage. */
export class Ownership {
  readonly #options: OwnershipOptions;
  #timer: NodeJS.Timeout | null = null;
  #working: Promise<void> | null = null;

  constructor(options: OwnershipOptions) {
    this.#options = options;
  }

  start(): void {
    const { lease } = this.#options.storage;
    if (!lease || this.#timer) return;
    this.#timer = setInterval(() => void this.#tick(), lease.ttlMs / RENEWALS);
    this.#timer.unref();
  }

  /** Resolves when nothing is going on any more. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    await this.#working;
  }

  /** A renewal that takes longer than the time to the next one is the next one, too. */
  #tick(): Promise<void> {
    this.#working ??= this.#renew().finally(() => {
      this.#working = null;
    });
    return this.#working;
  }

  async #renew(): Promise<void> {
    const { storage, onLost, onRenewed, report } = this.#options;
    try {
      if ((await storage.lease?.renew()) === false) onLost();
      if (this.#timer) await onRenewed();
    } catch (error) {
      report('renew the lease', error);
    }
  }
}
