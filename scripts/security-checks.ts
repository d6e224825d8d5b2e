/** The forty security checks: what must hold, where it comes from, and what does not apply yet. */

export interface SecurityCheck {
  readonly number: number;
  readonly what: string;
  readonly source: string;
  /** Why no test proves it, or a part of it. */
  readonly notYet?: string;
}

const check = (number: number, source: string, what: string, notYet?: string): SecurityCheck => ({
  number,
  what,
  source,
  ...(notYet === undefined ? {} : { notYet }),
});

export const CHECKS: readonly SecurityCheck[] = [
  check(
    1,
    'ASVS 7.2.1',
    'Every protected route, upgrade and stream refuses a missing, wrong, expired or foreign credential',
  ),
  check(2, 'ASVS 7.2.3, 11.5.1', 'Keys and tickets come from the CSPRNG and have 128 bits or more'),
  check(
    3,
    'ASVS 7.4.1',
    'What is revoked is refused within a second in every process, and its open sockets are closed',
  ),
  check(4, 'ASVS 7.4.2', 'Who is disabled loses sockets, streams and running generations'),
  check(5, 'ASVS 7.3.1, 7.3.2', 'Credentials expire on long connections, too'),
  check(6, 'ASVS 8.3.2', 'A change of role applies at once, also to open sockets and running streams'),
  check(7, 'ASVS 9.1.1', 'A JWT with a flipped bit or without a signature is refused'),
  check(
    8,
    'ASVS 9.1.2',
    '`alg: none`, HS256 with a public key, and algorithms that are not listed are refused',
  ),
  check(
    9,
    'ASVS 9.1.3',
    'Keys that a token names itself are never fetched or used; a strange `kid` is not looked up',
  ),
  check(10, 'ASVS 9.2.1', '`exp` is required; `exp` and `nbf` hold, give or take a minute'),
  check(11, 'ASVS 9.2.2, 9.2.3', 'A wrong type, audience or issuer is refused'),
  check(
    12,
    'ASVS 8.2.1, API5:2023',
    'Every route and message type has a rule for each role; without one it cannot be added',
  ),
  check(13, 'ASVS 8.2.2, API1:2023', 'Every id of somebody else is not found, whichever way it is tried'),
  check(
    14,
    'ASVS 8.2.3, 15.3.1, 15.3.3',
    'Fields that are not asked for have no effect; answers hold what their schema names',
  ),
  check(15, 'ASVS 8.4.1', 'Nothing of a tenant shows in answers, logs or metrics of another one'),
  check(16, 'OWASP WebSocket', 'What may be done is asked for each message, not for each connection'),
  check(
    17,
    'ASVS 4.4.1, 12.2.1',
    'No unencrypted traffic beyond the machine, unless a declared proxy ends TLS',
    'The server speaks HTTP only and leaves TLS to a proxy: it cannot tell a private network from a public one, and refusing to ' +
      'listen would break containers. Answers that came by HTTPS through a declared proxy carry HSTS; how to deploy is in the threat model.',
  ),
  check(18, 'ASVS 4.4.2', '`Origin` is compared exactly; what is not allowed is refused before the upgrade'),
  check(19, 'ASVS 4.4.3, 4.4.4', 'Tickets are good once, for 30 seconds, for one caller, session and origin'),
  check(20, 'ASVS 14.2.1', 'No credential is taken from an address or written to a log'),
  check(
    21,
    'ASVS 3.3, 3.5',
    'Cookies are `__Host-`, `Secure`, `HttpOnly` and `SameSite`; requests of other sites are refused',
  ),
  check(
    22,
    'ASVS 3.4, 14.3.2',
    'Every answer carries what keeps browsers from running, framing, guessing and keeping it',
  ),
  check(23, 'ASVS 4.1.3, 15.3.4', 'What a caller says of its address counts only from a declared proxy'),
  check(
    24,
    'ASVS 4.2.1',
    'Requests that two parsers could read in two ways are refused, and the connection is closed',
  ),
  check(
    25,
    'ASVS 2.2.1, 2.2.2, 15.3.6',
    'Every message is validated; strange ones and `__proto__` harm nothing',
  ),
  check(26, 'ASVS 1.2.4, 1.2.5', 'What stands in a string is data, for SQL and for programs'),
  check(27, 'ASVS 1.3.6, API7:2023', 'Addresses that models name never lead into the private network'),
  check(28, 'ASVS 2.4.1, API4:2023', 'Each limit refuses what is beyond it and leaves others alone'),
  check(
    29,
    'ASVS 15.2.2, 13.1.2, 13.2.6',
    'A slow database makes callers wait a bounded time, and nobody else; no text makes a regular expression run for long',
  ),
  check(
    30,
    'LLM06:2026, AISVS 9.1.2',
    'Budgets stop generation; what cannot fit is refused before it begins',
  ),
  check(31, 'LLM10:2026, AISVS 7.1.1', 'What a model says is data to whoever shows it'),
  check(32, 'LLM03:2026, AISVS 9.2.1', 'An approval is good for the call that was shown, once, in time'),
  check(
    33,
    'LLM08:2026, AISVS 9.5.3, 9.5.4',
    'Nothing secret reaches a prompt, an engine or a stream; no prompt decides what is allowed',
  ),
  check(34, 'AISVS 9.6.1, 12.4.3', 'An admin stops all runs at once, and that is audited'),
  check(
    35,
    'ASVS 11.4, 13.3.1',
    'Keys are stored as hashes only',
    'Keys of providers are never stored: they come from the environment, so there is nothing to encrypt at rest.',
  ),
  check(
    36,
    'ASVS 11.2.4',
    'Keys are found by their id and compared in constant time; an unknown id costs the same',
  ),
  check(
    37,
    'ASVS 16.3, 16.4.1',
    'Security events are audited once, with who, what, when and from where; nothing forges a line',
  ),
  check(
    38,
    'ASVS 16.4.2, 16.4.3',
    'The audit log is append-only and chained; edits, gaps and cuts are found',
  ),
  check(39, 'ASVS 16.5', 'What fails, fails closed: general words, no exit, nobody let in'),
  check(
    40,
    'ASVS 15.2.1, 15.2.4, LLM04:2026',
    'Packages are pinned, from the registry, listed, and without known holes',
  ),
];
