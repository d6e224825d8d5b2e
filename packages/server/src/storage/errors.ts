import { ApiError } from '@llmgine/protocol';

/** The data cannot be opened: no permission, no database, written by a newer version. The message is one line for people. */
export class StorageOpenError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'StorageOpenError';
  }
}

export function storageClosed(): ApiError {
  return new ApiError('UNAVAILABLE', 'The storage is closed');
}
