/**
 * Preloaded into a child server with `NODE_OPTIONS`: it is killed at the moment when it would answer the request whose
 * `Idempotency-Key` is `DIE_AT_KEY`. What the request did is committed by then, and nobody hears of it.
 */
import { ServerResponse } from 'node:http';

const { end } = ServerResponse.prototype;

ServerResponse.prototype.end = function (this: ServerResponse, ...parameters: unknown[]) {
  if (this.req.headers['idempotency-key'] === process.env.DIE_AT_KEY) process.kill(process.pid, 'SIGKILL');
  return Reflect.apply(end, this, parameters);
} as typeof end;
