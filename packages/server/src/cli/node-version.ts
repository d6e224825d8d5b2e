/** What `engines` of the package says, too. */
export const OLDEST_NODE = 24;

/** One line for people who run an older Node; undefined when it is new enough. */
export function nodeTooOld(version: string): string | undefined {
  return Number.parseInt(version, 10) < OLDEST_NODE
    ? `needs Node ${OLDEST_NODE} or newer, this is v${version}`
    : undefined;
}
