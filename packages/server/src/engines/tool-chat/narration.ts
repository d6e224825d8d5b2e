/** What the people who watch are told of the tools of one answer. */
import type { CallPlan } from './call-plan.ts';

const MAX_NAMES = 5;

/** Null when nothing is executed. */
export function runningText(plans: readonly CallPlan[]): string | null {
  const names = plans.filter((plan) => plan.do === 'execute').map(({ call }) => call.toolName);
  return names.length === 0 ? null : `Running ${list(names)}`;
}

/** Null when nothing is waited for. */
export function waitingText(plans: readonly CallPlan[]): string | null {
  const waits = plans.filter((plan) => plan.do === 'wait' || plan.do === 'ask');
  if (waits.length === 0) return null;
  const names = (kind: (typeof waits)[number]['on']) =>
    waits.filter(({ on }) => on === kind).map(({ call }) => call.toolName);
  const [approvals, clients, forms] = [names('approval'), names('client_tool'), names('form')];
  const what = [
    ...(approvals.length > 0 ? [`an approval of ${list(approvals)}`] : []),
    ...(forms.length > 0 ? ['an answer'] : []),
    ...(clients.length > 0 ? [`a client to execute ${list(clients)}`] : []),
  ];
  return `Waiting for ${what.join(', and for ')}`;
}

/** Each name once, with how often it is meant. */
function list(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const shown = [...counts].map(([name, count]) => (count === 1 ? name : `${name} (${count} times)`));
  const more = shown.length - MAX_NAMES;
  return more > 0 ? `${shown.slice(0, MAX_NAMES).join(', ')} and ${more} more` : shown.join(', ');
}
