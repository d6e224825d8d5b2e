/** The other side of `askClient`: a load client gets a plan, carries it out, and says what it saw. */

export function answerPlans<Plan, Result>(carryOut: (plan: Plan) => Promise<Result>): void {
  process.on('message', (message: { readonly plan?: Plan }) => {
    if (message.plan === undefined) return;
    carryOut(message.plan).then(
      (result) => process.send?.({ result }),
      (error: unknown) => process.send?.({ failure: String(error) }),
    );
  });
  process.on('SIGTERM', () => process.exit(0));
  process.send?.({ ready: true });
}

/** Milliseconds since the Unix epoch, as all processes of the machine have them. */
export const now = (): number => performance.timeOrigin + performance.now();
