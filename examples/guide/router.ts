import type { CustomRouter } from '@llmgine/api';
import { z } from 'zod';

export const reports: CustomRouter = (app, { session }) => {
  app.get(
    '/:session_id',
    {
      schema: {
        summary: 'How long a conversation is',
        params: z.object({ session_id: z.string() }),
        response: { 200: z.object({ messages: z.int() }) },
      },
    },
    async (request) => {
      const messages = await session(request.principal, request.params.session_id).messages();
      return { messages: messages.length };
    },
  );
};
