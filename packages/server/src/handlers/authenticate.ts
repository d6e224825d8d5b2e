import { CLIENT_FRAMES } from '@llmgine/protocol';
import { refusalEvent } from '../security/audit/refusal.ts';
import { defineHandler } from './types.ts';

export const authenticateHandler = defineHandler({
  type: 'authenticate',
  schema: CLIENT_FRAMES.authenticate,
  // Whoever it is: the credential that may do nothing any more is the one to replace.
  permission: null,
  unordered: true,
  touches: false,
  async handle({ token }, { connection, principal: before, services: { audit } }) {
    const source = { address: connection.remoteAddress, transport: 'websocket', requestId: null } as const;
    try {
      const principal = await connection.refresh(token);
      const { id, role, credential } = principal;
      audit.record({ action: 'login.succeeded', outcome: 'success', source, principal });
      const { expiresAt } = credential;
      return {
        type: 'authenticated',
        data: {
          subject: id,
          role,
          expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
        },
      };
    } catch (error) {
      const event = refusalEvent(error, { source, principal: before, operation: 'message authenticate' });
      if (event) audit.record(event);
      throw error;
    }
  },
});
