import type { Socket } from 'node:net';

/** What `net.Socket` reads to tell a peer that is slow from one that has stalled. */
interface WithHandle {
  readonly _handle?: { readonly bytesWritten?: number; readonly writeQueueSize?: number } | null;
}

/**
 * Bytes that the network has taken. One write can be large and its peer slow, so what is left of it has to count: only the
 * handle knows. Where it does not say, a write counts when it is done.
 */
export function bytesTaken(socket: Socket): number {
  const { bytesWritten, writeQueueSize } = (socket as Socket & WithHandle)._handle ?? {};
  if (bytesWritten !== undefined && writeQueueSize !== undefined) return bytesWritten - writeQueueSize;
  return socket.bytesWritten - socket.writableLength;
}
