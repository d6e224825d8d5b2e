/** The beginning of a text, never with half a character at its end: databases and providers refuse that. */
export function cutText(text: string, length: number): string {
  const cut = text.slice(0, length);
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut;
}

/** The same, with a note that says how much there was. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${cutText(text, length)}\n[cut: ${length} of ${text.length} characters]`;
}
