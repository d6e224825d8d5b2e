/** POST requests over a fixed number of connections, one at a time on each. */
import { Pool } from 'undici';
import { answerPlans, now } from '../lib/client-child.ts';
import { Latencies, type Quantiles } from '../lib/latencies.ts';

export interface Posts {
  readonly origin: string;
  readonly path: string;
  readonly connections: number;
  /** Altogether. */
  readonly requests: number;
}

export interface PostsResult {
  readonly perSecond: number;
  readonly latency: Quantiles;
}

answerPlans(async ({ origin, path, connections, requests }: Posts): Promise<PostsResult> => {
  const latency = new Latencies();
  const pool = new Pool(origin, { connections, pipelining: 1 });
  let left = requests;
  const begin = now();
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      const sent = now();
      const { statusCode, body } = await pool.request({ method: 'POST', path });
      await body.dump();
      if (statusCode >= 300) throw new Error(`${path} answered ${statusCode}`);
      latency.record(now() - sent);
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const seconds = (now() - begin) / 1000;
  await pool.close();
  return { perSecond: requests / seconds, latency: latency.quantiles() };
});
