import type { ConfigValues } from '../config.ts';
import type { TransferOptions } from '../sessions/transfer/options.ts';
import { TransferService } from '../sessions/transfer/service.ts';

/** A line of an import holds a message, and what a model answers may be much longer than what it is sent. */
const LINE_FACTOR = 16;

export function createTransfers(
  { maxImportSize, maxBodySize, websocketMaxMessageSize }: ConfigValues,
  parts: Omit<TransferOptions, 'maxImportSize' | 'maxLine'>,
): TransferService {
  const maxLine = LINE_FACTOR * Math.max(maxBodySize, websocketMaxMessageSize);
  return new TransferService({ ...parts, maxImportSize, maxLine });
}
