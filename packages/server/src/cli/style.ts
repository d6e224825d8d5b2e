import { styleText } from 'node:util';

export type Style = (format: Parameters<typeof styleText>[0], text: string) => string;

/** Colours where somebody sees them: `NO_COLOR` and files get none. */
export function terminalStyle(stream: NodeJS.WriteStream): Style {
  const colors = stream.isTTY && stream.hasColors();
  return (format, text) => (colors ? styleText(format, text, { validateStream: false }) : text);
}
