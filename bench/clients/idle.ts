/** Sockets that do nothing, held until the process ends. */
import { answerPlans } from '../lib/client-child.ts';
import { openSockets, type Target } from '../lib/sockets.ts';

export interface Idle {
  readonly connections: number;
}

const held: unknown[] = [];

answerPlans(async (plan: Idle & Target): Promise<Idle> => {
  held.push(...(await openSockets(plan, plan.connections)));
  return { connections: held.length };
});
