import cors from '@fastify/cors';
import type { APIConfig } from '../../config.ts';
import { isAllowedOrigin } from '../../security/origin.ts';
import type { HttpApp } from '../types.ts';

const PREFLIGHT_SECONDS = 600;

/** Answers allowed origins by name, never `*`. A preflight is answered before authentication: it carries no credential. */
export async function registerCors(app: HttpApp, config: APIConfig): Promise<void> {
  await app.register(cors, {
    origin: (origin, answer) => answer(null, origin !== undefined && isAllowedOrigin(origin, config)),
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: [
      'Accept',
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'Last-Event-ID',
      'Prefer',
      'X-API-Key',
      'X-CSRF-Token',
    ],
    exposedHeaders: [
      'Idempotency-Replayed',
      'Location',
      'Preference-Applied',
      'RateLimit',
      'RateLimit-Policy',
      'Retry-After',
      'X-Request-Id',
    ],
    maxAge: PREFLIGHT_SECONDS,
    // An OPTIONS request of an allowed page that is no preflight gets the same answer, not an error without a body.
    strictPreflight: false,
  });
}
