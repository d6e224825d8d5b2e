/** The version of the wire protocol, and the subprotocol that names it. */
export const PROTOCOL_VERSION = '1';
export const SUBPROTOCOL = 'llmgine.v1';
/** A browser that cannot set headers offers its credential as a second subprotocol with this prefix. */
export const BEARER_SUBPROTOCOL_PREFIX = 'llmgine.bearer.';
/** The same for a ticket, which counts once. */
export const TICKET_SUBPROTOCOL_PREFIX = 'llmgine.ticket.';
