/**
 * Says what a history breaks of what the server promises. It knows nothing of how the server works: it compares what
 * clients sent, were told and saw with what the logs hold in the end.
 */
import { type CheckOptions, collectFacts, type Rule } from './facts.ts';
import type { FinalLog } from './final-log.ts';
import type { History } from './history.ts';
import { firstAnswerCounts } from './rules/answers.ts';
import { oneValueEverywhere, readingsAreWhole } from './rules/logs.ts';
import { messagesAreWhole } from './rules/messages.ts';
import { everySendIsThereOnce, sessionsAreThere } from './rules/operations.ts';
import { oneOrder } from './rules/order.ts';
import { cancelsAndPermissions } from './rules/people.ts';
import { oneClaimAtATime, requestsAreAsLogged } from './rules/requests.ts';
import { runsEndOnce } from './rules/runs.ts';
import { stepsAndUsage } from './rules/steps.ts';
import { streamsAreWhole } from './rules/streams.ts';
import { toolsHaveOneEffect } from './rules/tools.ts';

const RULES: readonly Rule[] = [
  sessionsAreThere,
  oneValueEverywhere,
  readingsAreWhole,
  streamsAreWhole,
  everySendIsThereOnce,
  oneOrder,
  runsEndOnce,
  stepsAndUsage,
  messagesAreWhole,
  firstAnswerCounts,
  requestsAreAsLogged,
  oneClaimAtATime,
  cancelsAndPermissions,
  toolsHaveOneEffect,
];

/** The violations, each a line; none when all is well. Call it when everything has healed and nothing runs any more. */
export function check(
  history: History,
  finalLogs: readonly FinalLog[],
  options: CheckOptions = {},
): readonly string[] {
  const facts = collectFacts(history, finalLogs, options);
  return RULES.flatMap((rule) => [...rule(facts)]);
}
