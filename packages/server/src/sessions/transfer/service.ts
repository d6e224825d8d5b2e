/** TransferService: forks, exports and imports of sessions. */
import { ApiError, type ForkSessionBody, type SessionForked } from '@llmgine/protocol';
import type { IdempotencyRecord, Scope, SessionRow } from '../../storage/types.ts';
import { exportSession } from './export.ts';
import { forkSession } from './fork.ts';
import { importTooLarge, SessionImport } from './import.ts';
import type { TransferOptions } from './options.ts';

/** Imports at once, because each holds a line of its file and the ids of its messages in memory. */
const MAX_IMPORTS = 8;
const MAX_IMPORTS_OF_CALLER = 2;
/** Seconds. */
const RETRY_AFTER = 5;

export class TransferService {
  readonly #options: TransferOptions;
  /** Whose imports are under way, by caller. */
  readonly #importing: string[] = [];

  constructor(options: TransferOptions) {
    this.#options = options;
  }

  /** See `forkSession`. */
  fork(
    parent: SessionRow,
    body: ForkSessionBody,
    keep?: (answer: SessionForked) => IdempotencyRecord | undefined,
  ): Promise<SessionForked> {
    return forkSession(this.#options, parent, body, keep);
  }

  /** See `exportSession`. */
  export(session: SessionRow): AsyncGenerator<string, void, undefined> {
    return exportSession(this.#options.storage, session);
  }

  /**
   * Begins an import, which has to be ended or aborted. `size` is how many bytes will come, where that is known. Throws
   * `MESSAGE_TOO_LARGE`, and `RESOURCE_LIMIT_EXCEEDED` when too many are under way.
   */
  import({ tenantId, ownerId }: Scope, size = 0): SessionImport {
    const { maxImportSize } = this.#options;
    if (size > maxImportSize) throw importTooLarge(maxImportSize);
    const caller = JSON.stringify([tenantId, ownerId]);
    const own = this.#importing.filter((one) => one === caller).length;
    if (this.#importing.length >= MAX_IMPORTS || own >= MAX_IMPORTS_OF_CALLER) {
      const message = `At most ${MAX_IMPORTS_OF_CALLER} imports of a caller, and ${MAX_IMPORTS} in all, are taken at once`;
      throw new ApiError('RESOURCE_LIMIT_EXCEEDED', message, { retryAfter: RETRY_AFTER });
    }
    this.#importing.push(caller);
    return new SessionImport(this.#options, { tenantId, ownerId }, () => {
      this.#importing.splice(this.#importing.indexOf(caller), 1);
    });
  }
}
