/**
 * `approval`: may this be done, with exactly these arguments? `form`: somebody fills in what the schema describes.
 * `client_tool`: a client executes a tool and gives its result.
 */
export const REQUEST_KINDS = ['approval', 'form', 'client_tool'] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

/** What somebody can answer. */
export const ANSWER_OUTCOMES = ['approved', 'denied', 'submitted', 'error'] as const;
export type AnswerOutcome = (typeof ANSWER_OUTCOMES)[number];

/** How a request can end: answered, too late, or because its run ended before. */
export const REQUEST_OUTCOMES = [...ANSWER_OUTCOMES, 'expired', 'cancelled'] as const;
export type RequestOutcome = (typeof REQUEST_OUTCOMES)[number];

/** The answers that each kind of request takes. */
export const ANSWERS: Readonly<Record<RequestKind, readonly AnswerOutcome[]>> = {
  approval: ['approved', 'denied'],
  form: ['submitted', 'denied'],
  client_tool: ['submitted', 'error'],
};
