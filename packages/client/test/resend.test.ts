/** What was sent and not answered when the connection was lost. */
import { expect, test } from 'vitest';
import { startProxy } from '../../../tests/faults/tcp-proxy.ts';
import { startApp } from '../../../tests/helpers/app.ts';
import { stateOf, testClient } from './helpers.ts';
import { startWireServer } from './wire-server.ts';

const ID = '00000000-0000-4000-8000-000000000000';

/** A session over a network that the test breaks. */
async function start() {
  const app = await startApp();
  const { hostname, port } = new URL(app.url);
  const network = await startProxy({ host: hostname, port: Number(port) });
  const client = testClient(network.url());
  const id = await app.createSession({ engine_type: 'ToolChatEngine' });
  return { network, client, direct: testClient(app.url), id, session: client.session(id) };
}

test('a command and an event whose answers are lost are sent again, and happen once', async () => {
  const { network, session, direct, id } = await start();
  await session.connect();
  // What the server says next does not arrive.
  network.cutAfter(1, 'toClient');
  const published = session.publish('custom:note', { n: 1 });
  await stateOf(session, 'reconnecting');
  await published;
  network.cutAfter(1, 'toClient');
  const run = session.prompt('Hello');
  await stateOf(session, 'reconnecting');
  expect(await run.result).toMatchObject({ status: 'completed' });
  const { events } = await direct.sessions.events(id);
  expect(events.filter(({ event_type }) => event_type === 'custom:note')).toHaveLength(1);
  expect(events.filter(({ event_type }) => event_type === 'run_queued')).toHaveLength(1);
});

test('what is sent without a connection waits for one', async () => {
  const { network, session } = await start();
  network.accept = 'refuse';
  const run = session.prompt('Hello');
  const status = session.status();
  await stateOf(session, 'connecting');
  await expect.poll(() => session.error?.code).toBe('NETWORK_ERROR');
  network.heal();
  expect(await run.result).toMatchObject({ status: 'completed' });
  expect(await status).toMatchObject({ session_status: expect.any(String) });
});

test('what may have had an effect that another time would repeat is not sent again, and says so', async () => {
  const { url, frames, sockets } = await startWireServer({ answer: (_frame, socket) => socket.close(1012) });
  const session = testClient(url).session(ID);
  await session.connect();
  await expect(session.send('charge', { amount: 1 })).rejects.toMatchObject({
    code: 'CONNECTION_LOST',
    retryable: true,
  });
  await stateOf(session, 'open');
  await expect(session.cancel()).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
  expect(frames.map(({ type }) => type)).toEqual(['charge', 'cancel']);
  expect(sockets.length).toBeGreaterThan(1);
});

test('frames are sent again in the order in which they were sent', async () => {
  let isGood = false;
  const { url, frames } = await startWireServer({
    answer: ({ type, message_id, data }, socket) => {
      if (type !== 'event') return;
      if (isGood)
        socket.send(JSON.stringify({ type: 'event_published', message_id, data: { cursor: 'epoch0:0' } }));
      else if (data.event_id === 'c') {
        isGood = true;
        socket.terminate();
      }
    },
  });
  const session = testClient(url).session(ID);
  await Promise.all(['a', 'b', 'c'].map((eventId) => session.publish('custom:note', {}, { eventId })));
  expect(frames.map(({ data }) => data.event_id)).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
});

test('a refusal for the moment is tried again, one for good is not', async () => {
  const codes = ['RATE_LIMITED', 'UNAVAILABLE', 'VALIDATION_ERROR'];
  const { url, frames } = await startWireServer({
    answer: ({ message_id }, socket) => {
      const data = { code: codes.shift(), message: 'for a test', errors: [{ path: 'a', message: 'b' }] };
      socket.send(JSON.stringify({ type: 'error', message_id, data }));
    },
  });
  const session = testClient(url).session(ID);
  await expect(session.publish('custom:note')).rejects.toMatchObject({
    code: 'VALIDATION_ERROR',
    message: 'for a test',
    fields: [{ path: 'a', message: 'b' }],
  });
  expect(frames).toHaveLength(3);
});

test('a message that is too large is not sent: the server would close the connection for it', async () => {
  const { url, frames } = await startWireServer();
  const session = testClient(url).session(ID);
  await session.connect();
  await expect(session.publish('custom:note', { text: 'é'.repeat(60_000) })).rejects.toMatchObject({
    code: 'MESSAGE_TOO_LARGE',
  });
  const run = session.prompt('x'.repeat(200_000));
  await expect(run.accepted).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
  await expect(run.text).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
  expect(frames).toEqual([]);
});

test('who does not want to wait says so: a signal and a time end the waiting', async () => {
  const { url } = await startWireServer({ answer: () => {} });
  const session = testClient(url).session(ID);
  const reason = new Error('enough');
  const controller = new AbortController();
  const status = session.status({ signal: controller.signal });
  controller.abort(reason);
  await expect(status).rejects.toBe(reason);
  await expect(session.status({ signal: controller.signal })).rejects.toBe(reason);
  await expect(session.send('slow', {}, { timeoutMs: 10 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  await expect(session.connect({ signal: controller.signal })).rejects.toBe(reason);
});

test('how a run stands is asked until somebody answers, while the connection is open', async () => {
  let refusals = 4;
  const run = {
    run_id: ID,
    status: 'completed',
    result: 'done',
    usage: null,
    error: null,
    cursor: 'epoch0:0',
  };
  const { url } = await startWireServer({
    http: (_request, response) => {
      if (refusals-- > 0) response.writeHead(503, { 'retry-after': '0' }).end();
      else response.end(JSON.stringify(run));
    },
  });
  const session = testClient(url).session(ID);
  expect(await session.attach(ID).result).toMatchObject({ status: 'completed', result: 'done' });
  expect(session.state).toBe('open');
});

test('a frame that is too large and waits for the first connection is refused, and the session stays', async () => {
  const { url, frames, sockets } = await startWireServer({
    answer: (frame, socket) =>
      socket.send(JSON.stringify({ type: 'status_response', message_id: frame.message_id, data: {} })),
  });
  const session = testClient(url).session(ID);
  const run = session.prompt('x'.repeat(200_000));
  const status = session.status();
  await expect(run.result).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
  expect(await status).toEqual({});
  expect(frames.map(({ type }) => type)).toEqual(['status']);
  expect(sockets).toHaveLength(1);
});
