import { ticketSchema } from '@llmgine/protocol';
import type { Services } from '../../services.ts';
import { auditSource } from '../audit.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';
import { loadSession, sessionParams } from './session-params.ts';

export function registerTickets(app: HttpApp, services: Services): void {
  app.post(
    '/api/sessions/:session_id/tickets',
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'createTicket',
        tags: ['sessions'],
        summary: 'Get a ticket that opens one WebSocket of the session',
        description:
          'For pages, which cannot set headers: offer the subprotocols `llmgine.v1` and `llmgine.ticket.TICKET`. It ' +
          'counts once, within 30 seconds, for this session, and for pages of the `Origin` that asked for it. ' +
          'It is known to this process only.',
        params: sessionParams,
        response: { 201: ticketSchema, ...problems('SESSION_NOT_FOUND', 'RESOURCE_LIMIT_EXCEEDED') },
      },
    },
    async (request, reply) => {
      const { sessionId } = await loadSession(services, request);
      const { origin } = request.headers;
      const { principal } = request;
      const { ticket, expiresAt } = services.tickets.issue(principal, { sessionId, origin });
      services.audit.record({
        action: 'ticket.issued',
        outcome: 'success',
        source: auditSource(services, request),
        principal,
        target: { kind: 'session', id: sessionId },
      });
      return reply.code(201).send({ ticket, expires_at: expiresAt.toISOString() });
    },
  );
}
