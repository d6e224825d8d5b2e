import { expect, test } from 'vitest';
import { logLines } from '../../packages/server/test/extensibility/log-lines.ts';
import { startModelApp } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { TestSocket } from '../helpers/ws-client.ts';
import { caller, letIn } from './callers.ts';

/** Everything that a tenant can put somewhere holds it. */
const CANARY = 'canary-of-tenant-a';

test.each(STORAGES)(
  'check 15 (ASVS 8.4.1): nothing of a tenant shows in an answer, a prompt, a log or a metric of another one, on %s',
  async (_storage, data) => {
    const log = logLines('trace');
    const { app, models, url, wsUrl } = await startModelApp({ logger: log.logger, config: await data() });
    models.respond = ({ body }) => ({
      steps: [{ text: `You said ${JSON.stringify(body.messages.at(-1))}` }],
    });
    // The same id in both tenants: the tenant alone keeps them apart.
    const headersOf = letIn(app, [
      caller('ada', { tenantId: CANARY }, 'a'),
      caller('ada', { tenantId: 'other' }, 'b'),
    ]);
    const as =
      (id: string) =>
      (method: string, path: string, body?: object, more: object = {}) =>
        call(method, url + path, body, { ...headersOf(id), ...more });
    const [a, b] = [as('a'), as('b')];
    const once = { 'idempotency-key': CANARY };
    const prompt = { command: 'prompt', parameters: { prompt: CANARY } };
    const made = await a('POST', '/api/sessions', {
      name: CANARY,
      metadata: { [CANARY]: CANARY },
      engine_type: 'ToolChatEngine',
    });
    const path = `/api/sessions/${made.body.session_id}`;
    expect((await a('POST', `${path}/commands`, prompt, once)).body.status).toBe('completed');
    await a('POST', `${path}/events`, { event_type: `custom:x`, payload: { CANARY }, event_id: CANARY });
    await a('POST', `${path}/commands`, { command: CANARY, parameters: {} });
    const asked = models.requests.length;
    const linesOfA = log.lines.length;

    const theirs = await b('POST', '/api/sessions', { engine_type: 'ToolChatEngine' });
    const own = `/api/sessions/${theirs.body.session_id}`;
    const said = await b('POST', `${own}/commands`, { ...prompt, parameters: { prompt: 'Hi' } }, once);
    const socket = await TestSocket.open(wsUrl(theirs.body.session_id), { headers: headersOf('b') });
    await socket.request('history');
    await socket.request('status');
    const answers = [said];
    for (const address of [
      '/api/sessions',
      `/api/sessions?metadata.${CANARY}=${CANARY}`,
      path,
      `${path}/events`,
      `${path}/messages`,
      `${path}/runs`,
      own,
      `${own}/events`,
      `${own}/messages`,
      `${own}/requests`,
      `${own}/runs`,
      '/api/info',
      '/api/engines',
      '/openapi.json',
      '/asyncapi.json',
    ]) {
      answers.push(await b('GET', address));
    }
    const metrics = await (await fetch(`${url}/metrics`, { headers: headersOf('b') })).text();

    // The same key, another tenant: another first time.
    expect(said.body.status).toBe('completed');
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(4);
    for (const { status, body } of answers) {
      const { detail: _, ...shown } = body;
      expect(JSON.stringify(shown), String(status)).not.toContain(CANARY);
    }
    expect(JSON.stringify(socket.frames)).not.toContain(CANARY);
    expect(JSON.stringify(models.requests.slice(asked).map(({ body }) => body))).not.toContain(CANARY);
    expect(metrics).not.toContain(CANARY);
    // What the lines of the other one hold is the address that it asked for.
    const lines = log.lines.slice(linesOfA).map(({ path: _, ...line }) => line);
    expect(lines.length).toBeGreaterThan(10);
    expect(JSON.stringify(lines)).not.toContain(CANARY);
  },
);
