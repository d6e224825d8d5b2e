import { problemSchema } from '@llmgine/protocol';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'] as const;
const STRANGE = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    '../..',
    '%00',
    "' OR 1=1 --",
    '-1',
    '1e999',
    'null',
    'x'.repeat(300),
  ),
);

it('25, 26 (ASVS 2.2.1, 1.2.4): answers no request, however strange, with an error of its own', async () => {
  const { app, createSession } = await startApp();
  const session = await createSession({ engine_type: 'SinglePassEngine' });
  const paths = [
    '/api/sessions',
    `/api/sessions/${session}`,
    ...['engine', 'commands', 'runs', 'events', 'messages', 'runs/x', 'runs/x/cancel'].map(
      (rest) => `/api/sessions/${session}/${rest}`,
    ),
    '/api/engines',
    '/api/info',
  ];
  const url = fc.oneof(
    fc.constantFrom(...paths),
    STRANGE.map((text) => `/${encodeURIComponent(text)}`),
    STRANGE.map((text) => `/api/sessions/${encodeURIComponent(text)}`),
    fc
      .tuple(
        fc.constantFrom(...paths),
        fc.constantFrom('limit', 'cursor', 'after', 'before', 'offset', 'metadata.a'),
        STRANGE,
      )
      .map(([path, name, text]) => `${path}?${name}=${encodeURIComponent(text)}`),
  );
  const object = fc.dictionary(
    fc.oneof(
      fc.constantFrom(
        'name',
        'metadata',
        'engine_type',
        'engine_config',
        'command',
        'parameters',
        'run_id',
        'event_type',
        'payload',
        'event_id',
        '__proto__',
      ),
      STRANGE,
    ),
    fc.oneof(fc.jsonValue(), STRANGE),
  );
  const payload = fc.oneof(
    fc.constant(undefined),
    object.map((value) => JSON.stringify(value)),
    fc.jsonValue().map((value) => JSON.stringify(value)),
    STRANGE,
  );
  const headers = fc.record(
    {
      'content-type': fc.constantFrom(
        'application/json',
        'text/plain',
        'application/json; charset=latin1',
        'x',
      ),
      accept: fc.constantFrom('*/*', 'application/json', 'x'),
      'idempotency-key': fc.string({ maxLength: 300 }),
      prefer: fc.constantFrom('respond-async', 'x'),
      'last-event-id': fc.string({ maxLength: 80 }),
      origin: fc.constantFrom('http://localhost:1', 'http://127.0.0.1'),
    },
    { requiredKeys: [] },
  );

  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...METHODS),
      url,
      payload,
      headers,
      async (method, path, body, fields) => {
        const answer = await app.inject({
          method,
          url: path,
          headers: { host: 'localhost', ...fields },
          remoteAddress: '127.0.0.1',
          ...(body === undefined || method === 'GET' || method === 'HEAD' ? {} : { payload: body }),
        });

        expect(answer.statusCode).toBeLessThan(500);
        if (answer.statusCode >= 400 && method !== 'HEAD') {
          expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
          expect(problemSchema.safeParse(answer.json()).error).toBeUndefined();
        }
      },
    ),
    { numRuns: 200 },
  );
});
