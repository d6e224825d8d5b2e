import { z } from 'zod';
import type { ServerTool } from './types.ts';

const parameters = z.object({
  time_zone: z.string().max(64).optional().describe('IANA name, for example Europe/Berlin; default UTC'),
});

export const currentTimeTool: ServerTool<typeof parameters> = {
  name: 'current_time',
  description: 'Tells the current date and time',
  parameters,
  idempotent: true,
  execute({ time_zone: timeZone = 'UTC' }) {
    const now = new Date();
    let local: string;
    try {
      local = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'full', timeStyle: 'long' }).format(
        now,
      );
    } catch {
      throw new Error(`there is no time zone ${JSON.stringify(timeZone)}`);
    }
    return { iso: now.toISOString(), time_zone: timeZone, local };
  },
};
