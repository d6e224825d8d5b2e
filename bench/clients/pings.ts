/** Pings on many connections, one at a time on each. */
import type { WebSocket } from 'ws';
import { answerPlans, now } from '../lib/client-child.ts';
import { Latencies, type Quantiles } from '../lib/latencies.ts';
import { openSockets, type Target } from '../lib/sockets.ts';

/** Connections that are not open yet are opened first, and stay open for the next plan. */
export interface Pings {
  readonly connections: number;
  /** Altogether. */
  readonly messages: number;
}

export interface PingsResult {
  readonly messages: number;
  readonly roundTrip: Quantiles;
  readonly seconds: number;
}

const open: WebSocket[] = [];

answerPlans(async (plan: Pings & Target): Promise<PingsResult> => {
  const roundTrip = new Latencies();
  open.push(...(await openSockets(plan, plan.connections - open.length)));
  const each = Math.ceil(plan.messages / plan.connections);
  const begin = now();
  await Promise.all(
    open.map((socket) => {
      const done = Promise.withResolvers<void>();
      let count = 0;
      let sent = 0;
      const ping = () => {
        sent = now();
        const data = { timestamp: '2026-01-01T12:00:00.000Z' };
        socket.send(JSON.stringify({ type: 'ping', message_id: count, data }));
      };
      socket.removeAllListeners('message').on('message', () => {
        roundTrip.record(now() - sent);
        count += 1;
        if (count === each) done.resolve();
        else ping();
      });
      socket.once('close', () => done.reject(new Error('a connection was closed')));
      ping();
      return done.promise;
    }),
  );
  const seconds = (now() - begin) / 1000;
  return { messages: each * plan.connections, roundTrip: roundTrip.quantiles(), seconds };
});
