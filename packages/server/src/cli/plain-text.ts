/** What comes from models, tools and other people is text and nothing else: a terminal must find no order in it. */

/** Whole sequences first, so that nothing of them is left as letters: CSI, OSC and other strings, two-character ones. */
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go.
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\u061c]/g;
/** How much of a sequence that is not complete is waited for. */
const MAX_OPEN = 256;
const OPEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go.
  /(?:\u001b|(?:\u001b\[|\u009b)[0-?]*[ -/]*|(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*\u001b?|\u001b[ -/]+)$/;

/** The text without what a terminal would act on; line breaks and tabs stay. */
export function plainText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(SEQUENCES, '').replace(CONTROLS, '');
}

/** The same as one line of at most so many characters. */
export function plainLine(text: string, max: number): string {
  const line = plainText(text).replace(/\s+/g, ' ').trim();
  const characters = [...line];
  return characters.length > max ? `${characters.slice(0, max - 1).join('')}…` : line;
}

/** `plainText` for a text that comes in pieces: a sequence may be cut anywhere. */
export class PlainStream {
  #open = '';

  push(piece: string): string {
    const text = this.#open + piece;
    // What never ends is dropped as the beginning that it is.
    const looked = Math.max(0, text.length - MAX_OPEN);
    const found = OPEN.exec(text.slice(looked));
    const cut = found ? looked + found.index : text.length;
    this.#open = text.slice(cut);
    return plainText(text.slice(0, cut));
  }
}
