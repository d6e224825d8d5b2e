import { SUBPROTOCOL } from '@llmgine/protocol';
import { type ServerOptions, WebSocketServer } from 'ws';
import type { ConfigValues } from '../config.ts';

/** A peer that says nothing after the close is destroyed after this time. */
const CLOSE_TIMEOUT_MS = 5000;
/** Chunks of one frame that may wait for the rest of it; a flood of tiny ones costs more memory than their bytes. */
const MAX_BUFFERED_CHUNKS = 4096;

/** The types of `ws` are behind it. */
interface Options extends ServerOptions {
  readonly closeTimeout: number;
}

/** Does the handshake and the framing, with our limits; listens to nothing by itself. */
export function createSocketServer(values: ConfigValues): WebSocketServer {
  const options: Options = {
    noServer: true,
    clientTracking: false,
    // Costs four times the CPU, and a small frame could unpack to a huge one.
    perMessageDeflate: false,
    maxPayload: values.websocketMaxMessageSize,
    maxFragments: values.websocketMaxFragments,
    maxBufferedChunks: MAX_BUFFERED_CHUNKS,
    // A peer that does not answer the close is one that has stalled.
    closeTimeout: Math.min(CLOSE_TIMEOUT_MS, values.websocketStallTimeout * 1000),
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  };
  return new WebSocketServer(options);
}
