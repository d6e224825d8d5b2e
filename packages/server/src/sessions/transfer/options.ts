import { nanoid } from 'nanoid';
import type { Storage } from '../../storage/types.ts';
import type { SessionEngines, SessionService } from '../service.ts';

export interface TransferOptions {
  readonly storage: Storage;
  readonly sessions: Pick<SessionService, 'adopt' | 'purge'>;
  readonly engines: SessionEngines;
  readonly report: (stage: string, error: unknown) => void;
  /** Bytes of an import. */
  readonly maxImportSize: number;
  /** Bytes of one of its lines. */
  readonly maxLine: number;
}

export function newEngineId(): string {
  return `engine_${nanoid(16)}`;
}
