import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { createSession, ENGINE, startedRun } from '../../../../tests/contracts/storage/fixtures.ts';
import { startApp, tempDir } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { TestStream } from '../../../../tests/helpers/sse-client.ts';
import { testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { APIConfig } from '../../src/config.ts';
import { openStorage } from '../../src/storage/open.ts';

async function scrape(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  return response.text();
}

/** The value of a sample, by its name and labels as they stand in the text. */
function value(text: string, sample: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
}

it('counts what happens', async () => {
  const { url, createSession, wsUrl } = await startApp();
  const id = await createSession({ engine_type: 'SinglePassEngine' });
  const socket = await TestSocket.open(wsUrl(id));
  const body = { command: 'prompt', parameters: { prompt: 'Hello' } };
  await call('POST', `${url}/api/sessions/${id}/commands`, body);
  await call('GET', `${url}/api/sessions/00000000-0000-4000-8000-000000000000`);

  const missing = 'llmgine_http_requests_total{route="/api/sessions/:session_id",method="GET",status="404"}';
  await vi.waitUntil(async () => value(await scrape(url), missing) === 1);
  const text = await scrape(url);

  expect(value(text, 'llmgine_sessions')).toBe(1);
  expect(value(text, 'llmgine_websockets')).toBe(1);
  expect(value(text, 'llmgine_active_runs')).toBe(0);
  expect(value(text, 'llmgine_runs_total{status="completed"}')).toBe(1);
  expect(value(text, 'llmgine_errors_total{code="SESSION_NOT_FOUND"}')).toBe(1);
  expect(value(text, 'llmgine_events_appended_total')).toBeGreaterThan(3);
  expect(value(text, 'llmgine_log_flush_appends_count')).toBeGreaterThan(1);
  expect(value(text, 'llmgine_tokens_total{direction="output"}')).toBeGreaterThan(0);
  for (const name of [
    'process_resident_memory_bytes',
    'process_cpu_seconds_total',
    'process_start_time_seconds',
  ]) {
    expect(value(text, name)).toBeGreaterThan(0);
  }
  expect(value(text, 'nodejs_eventloop_delay_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(0);
  socket.ws.terminate();
});

it('counts the runs that wait, and those that end without having been executed', async () => {
  const gate = testGate();
  const { app, url, createSession } = await startApp({ apiFactory: testEngine(() => gate.pass()) });
  const session = `${url}/api/sessions/${await createSession({ engine_type: 'TestEngine' })}`;
  const post = () => call('POST', `${session}/commands`, { command: 'act' }, { prefer: 'respond-async' });
  await post();
  await gate.reached;
  const [first, , last] = [await post(), await post(), await post()];
  const waiting = value(await scrape(url), 'llmgine_queued_runs');

  for (const { body } of [first, last]) await call('POST', `${session}/runs/${body.run_id}/cancel`);
  const text = await scrape(url);
  app.services.storage.countQueuedRuns = () => Promise.reject(new Error('no disk'));

  expect(waiting).toBe(3);
  expect(value(text, 'llmgine_queued_runs')).toBe(1);
  expect(value(text, 'llmgine_runs_total{status="cancelled"}')).toBe(2);
  expect(value(text, 'llmgine_run_duration_seconds_count{status="cancelled"}')).toBeUndefined();
  expect(value(await scrape(url), 'llmgine_queued_runs')).toBeNaN();
});

it('counts the runs that a dead process left behind', async () => {
  const databaseUrl = `sqlite:${join(await tempDir(), 'llmgine.db')}`;
  const storage = await openStorage(new APIConfig({ databaseUrl }, { env: {} }).values);
  await startedRun(storage, await createSession(storage, { engine: ENGINE }));
  await storage.close();

  const { url } = await startApp({ config: { databaseUrl } });

  expect(value(await scrape(url), 'llmgine_runs_total{status="failed"}')).toBe(1);
});

it('lets no caller choose the value of a label', async () => {
  const { url } = await startApp();
  for (let i = 0; i < 20; i++) {
    await call('GET', `${url}/nope-${i}`);
    await call('GET', `${url}/api/sessions/id-${i}`);
    await call('GET', `${url}/api/engines?x=${i}`);
  }

  const unknown = 'llmgine_http_requests_total{route="none",method="GET",status="404"}';
  await vi.waitUntil(async () => value(await scrape(url), unknown) === 20);
  expect(await scrape(url)).not.toMatch(/nope-|id-\d|x=/);
});

it('counts streams, whoever ends them, but not how long they stay open', async () => {
  const { url, createSession } = await startApp();
  const session = `${url}/api/sessions/${await createSession()}`;
  const labels = '{route="/api/sessions/:session_id/events",method="GET",status="200"}';
  const hungUp = await TestStream.open(`${session}/events`);
  const ended = await TestStream.open(`${session}/events`);

  expect(value(await scrape(url), 'llmgine_event_streams')).toBe(2);
  await hungUp.close();
  await call('DELETE', session);
  await ended.ended;

  await vi.waitUntil(async () => value(await scrape(url), `llmgine_http_requests_total${labels}`) === 2);
  const text = await scrape(url);
  expect(value(text, 'llmgine_event_streams')).toBe(0);
  expect(value(text, `llmgine_http_request_duration_seconds_count${labels}`)).toBeUndefined();
});

it('keeps the metrics of two applications in one process apart', async () => {
  const [one, other] = [await startApp(), await startApp()];
  await one.createSession();

  expect(value(await scrape(one.url), 'llmgine_sessions')).toBe(1);
  expect(value(await scrape(other.url), 'llmgine_sessions')).toBe(0);
});

it('shows the rest when the storage fails', async () => {
  const { app, url } = await startApp();
  app.services.storage.counts = () => Promise.reject(new Error('no disk'));

  const text = await scrape(url);

  expect(value(text, 'llmgine_sessions')).toBeNaN();
  expect(value(text, 'llmgine_active_runs')).toBe(0);
});
