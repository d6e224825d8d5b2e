/** F9: the disk is full, under a server in a process of its own. */
import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { fillDisk, smallDisk } from '../../packages/server/test/storage/folder.ts';
import { startServer } from '../helpers/child-server.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const DISK_SIZE = 24;
const prompt = { command: 'prompt', parameters: { prompt: 'Hello' } };

test('F9: a full disk is 507, reading and deleting work, and when there is room everything does (P2)', async (context) => {
  const folder = await smallDisk(context, DISK_SIZE);
  const server = await startServer({ LLMGINE_API_DATA_DIR: folder });
  const create = () => call('POST', `${server.url}/api/sessions`, { engine_type: 'SinglePassEngine' });
  const [kept, large] = [(await create()).body.session_id, (await create()).body.session_id];
  const session = (id: string) => `${server.url}/api/sessions/${id}`;
  const socket = await TestSocket.open(server.wsUrl(kept));
  expect((await socket.run('prompt', { prompt: 'Before' })).status).toBe('completed');
  const publish = () =>
    call('POST', `${session(large)}/events`, {
      event_type: 'custom:filler',
      payload: { text: 'x'.repeat(100_000) },
    });
  // What deleting gives back.
  for (let n = 0; n < 20; n++) expect((await publish()).status).toBe(201);
  fillDisk(folder);
  for (let status = 201; status === 201; ) ({ status } = await publish());

  const full = { status: 507, body: { code: 'STORAGE_FULL' } };
  expect(await publish()).toMatchObject(full);
  const described = { metadata: { note: 'x'.repeat(10_000) } };
  const another = () => call('POST', `${server.url}/api/sessions`, described);
  // Smaller than what did not fit any more.
  for (let status = 201; status === 201; ) ({ status } = await another());
  expect(await another()).toMatchObject(full);
  const command = await call('POST', `${session(kept)}/commands`, {
    ...prompt,
    parameters: { prompt: 'x'.repeat(200_000) },
  });
  expect(command).toMatchObject(full);
  const overSocket = await socket.request('event', {
    event_type: 'custom:filler',
    payload: { text: 'x'.repeat(100_000) },
  });
  expect(overSocket).toMatchObject({ type: 'error', data: { code: 'STORAGE_FULL' } });
  expect((await call('GET', `${session(kept)}/messages`)).body.messages).toHaveLength(2);
  expect((await call('GET', `${session(large)}/events?limit=1`)).body.events).toHaveLength(1);
  expect((await call('GET', `${server.url}/health/live`)).status).toBe(200);
  // Deleting needs room, too: that is what the reserve is for. What it makes is used again.
  expect((await call('DELETE', session(large))).status).toBe(200);
  await expect
    .poll(async () => (await call('POST', `${session(kept)}/commands`, prompt)).body.status, {
      timeout: 10_000,
    })
    .toBe('completed');

  await rm(`${folder}/fill`, { force: true });
  expect((await socket.run('prompt', { prompt: 'After' })).status).toBe('completed');
  const { events } = (await call('GET', `${session(kept)}/events`)).body;
  expect(events.map(({ seq }: { seq: number }) => seq)).toEqual(
    events.map((_: object, index: number) => index + 1),
  );
  // Every run that was accepted has ended, once.
  const of = (type: string) =>
    events.filter((event: { event_type: string }) => event.event_type === type).length;
  expect(of('run_finished')).toBe(of('run_queued'));
  expect(await server.kill('SIGTERM')).toMatchObject({ code: 0 });
});
