/** Bytes of the shortest header, and of those with a length of 16 and of 64 bits. */
const SHORT = 2;
const MEDIUM = 4;
const LONG = 10;

/** The last frame of a text message (RFC 6455, section 5.2). */
const FIN_TEXT = 0x81;

/**
 * A text message as a server sends it: one frame, neither masked nor compressed, header and payload in one piece. Made
 * once, it goes to as many sockets as there are, each with one write.
 */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? SHORT : length < 65_536 ? MEDIUM : LONG;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = FIN_TEXT;
  if (header === SHORT) {
    frame[1] = length;
  } else if (header === MEDIUM) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, header);
  return frame;
}
