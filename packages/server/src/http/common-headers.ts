/**
 * What every answer carries. Answers are for programs: a browser that is led to one runs, frames and remembers nothing of
 * it, and tells nobody where it was. Pages for people name what they need in a policy of their own.
 */
export const COMMON_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};
