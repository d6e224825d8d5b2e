/** Which sockets send a file: that takes as long as it takes, as long as something comes. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** Milliseconds without a byte after which the sender of a file is gone. */
const STALL_MS = 30_000;

const uploading = new WeakSet<Duplex>();

/** Whether a request of this socket may take longer than others do. */
export function isUploading(socket: Duplex): boolean {
  return uploading.has(socket);
}

/** The body of a request, without a limit of time for the whole. Rejects when the client hangs up, or stalls. */
export async function* uploadOf(request: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
  const { socket } = request;
  // Who is made to wait is not the one that stalls.
  let isTaken = false;
  const stalled = setTimeout(() => {
    if (isTaken) stalled.refresh();
    else request.destroy();
  }, STALL_MS);
  uploading.add(socket);
  try {
    for await (const chunk of request) {
      isTaken = true;
      yield chunk as Buffer;
      isTaken = false;
      stalled.refresh();
    }
  } finally {
    clearTimeout(stalled);
    uploading.delete(socket);
  }
}
