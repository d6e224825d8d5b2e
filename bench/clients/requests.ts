/** Requests over a fixed number of connections, one at a time on each. */
import { answerPlans, now } from '../lib/client-child.ts';
import { HttpConnection } from '../lib/http-connection.ts';
import { Latencies, type Quantiles } from '../lib/latencies.ts';

export interface Requests {
  readonly origin: string;
  readonly method: 'GET' | 'POST';
  /** In turns. */
  readonly paths: readonly string[];
  readonly connections: number;
  /** Altogether. */
  readonly requests: number;
}

export interface RequestsResult {
  readonly perSecond: number;
  readonly latency: Quantiles;
  /** Of an answer, without its head. */
  readonly bytes: number;
}

answerPlans(async (plan: Requests): Promise<RequestsResult> => {
  const { origin, method, paths, requests } = plan;
  const latency = new Latencies();
  const connections = await Promise.all(
    Array.from({ length: plan.connections }, () => HttpConnection.open(origin)),
  );
  let begun = 0;
  let received = 0;
  const begin = now();
  await Promise.all(
    connections.map(async (connection) => {
      while (begun < requests) {
        const path = paths[begun % paths.length] ?? '/';
        begun += 1;
        const sent = now();
        const { status, bytes } = await connection.request(method, path);
        if (status < 200 || status > 299) throw new Error(`${method} ${path} answered ${status}`);
        latency.record(now() - sent);
        received += bytes;
      }
    }),
  );
  const seconds = (now() - begin) / 1000;
  for (const connection of connections) connection.close();
  return { perSecond: requests / seconds, latency: latency.quantiles(), bytes: received / requests };
});
