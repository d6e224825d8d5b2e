/** Names of the machine itself: `localhost`, anything below it, 127.0.0.0/8 and `::1`. No trailing dot, no user part. */
const HOST = String.raw`(?:localhost|(?:[a-z0-9_-]+\.)+localhost|127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])(?::\d{1,5})?`;
const LOCAL_HOST = new RegExp(`^${HOST}$`, 'i');
const LOCAL_ORIGIN = new RegExp(`^https?://${HOST}$`, 'i');

/** Whether a `Host` header names this machine, with any port. */
export function isLocalHost(host: string): boolean {
  return LOCAL_HOST.test(host);
}

/** Whether an `Origin` header is of a page that this machine serves, on any port. */
export function isLocalOrigin(origin: string): boolean {
  return LOCAL_ORIGIN.test(origin);
}
