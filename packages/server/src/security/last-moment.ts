/** The last moment with a year of four digits: nothing later is a timestamp on the wire. Milliseconds. */
export const LAST_MOMENT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
