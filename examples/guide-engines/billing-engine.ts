import { defineEngine, say } from '@llmgine/api';
import { z } from 'zod';
import type { Bank } from './bank.ts';

export const billingEngine = (bank: Bank) =>
  defineEngine({
    type: 'BillingEngine',
    description: 'Charges what it is told to, when a person agrees',
    config: z.object({}),
    commands: {
      charge: { description: 'Charges a sum', parameters: z.object({ euros: z.number().positive() }) },
    },
    resumable: true,
    create: () => ({
      async run(context) {
        if (context.command === 'prompt') {
          await say(context, 'Give me the command "charge".');
          return null;
        }
        const { euros } = context.parameters;
        const { outcome } = await context.ask({
          key: 'charge',
          kind: 'approval',
          prompt: `Charge ${euros} euros?`,
          arguments: { euros },
        });
        if (outcome !== 'approved') return { charged: 0 };
        const [before] = await context.recorded('custom:charged');
        if (before) return { charged: euros };
        // It may die right after the payment: the key makes the second attempt the same payment.
        const { receipt } = await bank.charge(euros, { key: context.runId });
        context.emit({ event_type: 'custom:charged', payload: { receipt } });
        await context.drain();
        return { charged: euros };
      },
    }),
  });
