/** The other side of `askClient` and of `Clients`: a load client gets a plan, carries it out, and says what it saw. */

/** Says that everything is open that the plan needs; resolves with the moment at which all clients begin. */
export type Opened = () => Promise<number>;

interface Told<Plan> {
  readonly plan?: Plan;
  readonly begin?: number;
}

export function answerPlans<Plan, Result>(carryOut: (plan: Plan, opened: Opened) => Promise<Result>): void {
  let begin = Promise.withResolvers<number>();
  const opened = () => {
    begin = Promise.withResolvers();
    process.send?.({ opened: true });
    return begin.promise;
  };
  process.on('message', (message: Told<Plan>) => {
    if (message.begin !== undefined) begin.resolve(message.begin);
    if (message.plan === undefined) return;
    carryOut(message.plan, opened).then(
      (result) => process.send?.({ result }),
      (error: unknown) => process.send?.({ failure: String(error) }),
    );
  });
  process.on('SIGTERM', () => process.exit(0));
  process.send?.({ ready: true });
}

/** Milliseconds since the Unix epoch, as all processes of the machine have them. */
export const now = (): number => performance.timeOrigin + performance.now();

export function until(moment: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, moment - now()));
}
