/** A run whose process dies goes on from its last finished step: nothing is heard, merged or answered twice. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { call } from '../../../../../tests/helpers/rest.ts';
import { STORAGES } from '../../../../../tests/helpers/storages.ts';
import { INTERVIEW } from '../../../../../tests/helpers/transcription-server.ts';
import { FILE, merging, voiceWorld } from './voice-app.ts';

const FOUR = {
  ...INTERVIEW,
  segments: [...INTERVIEW.segments, { start: 12, end: 12.5, text: 'Good.', speaker: 'D' }],
};
const ANSWER = { steps: [{ text: 'Ada is ready.' }] };

/** Every moment at which the process may die: what the servers have heard by then, and what they hear after. */
const MOMENTS = [
  'while it transcribes',
  'before it merges',
  'between two merges',
  'before it answers',
] as const;

describe.each(STORAGES)('%s', (_, data) => {
  test.each(MOMENTS)('%s', async (moment) => {
    const { models, speech, start } = await voiceWorld({ config: await data() });
    speech.answer = FOUR;
    const gate = models.gate();
    const hold = { headersGate: gate };
    const listening = speech.gate();
    const before = MOMENTS.indexOf(moment) - 1;
    const script = [merging(['A', 'C']), merging(['B', 'D']), ANSWER];
    if (before < 0) speech.script({ answer: FOUR, gate: listening });
    else models.script(...script.slice(0, before), hold);
    const dying = await start();
    const id = await dying.createSession({ engine_type: 'VoiceEngine' });
    const run_id = randomUUID();
    const parameters = { file_id: FILE.fileId, speakers: 2, prompt: 'Is Ada ready?' };
    const command = { command: 'process', parameters, run_id };
    await call('POST', `${dying.url}/api/sessions/${id}/commands`, command, { prefer: 'respond-async' });
    await (before < 0 ? listening.reached : gate.reached);
    await dying.app.close({ graceMs: 0 });

    models.script(...script.slice(Math.max(before, 0)));
    const next = await start();
    const { body } = await call('POST', `${next.url}/api/sessions/${id}/commands`, command);

    expect(body).toMatchObject({
      status: 'completed',
      result: {
        text: INTERVIEW.text,
        mapping: { A: 'A', B: 'B', C: 'A', D: 'B' },
        reasons: [{ merged: ['A', 'C'] }, { merged: ['B', 'D'] }],
        answer: { text: 'Ada is ready.' },
      },
    });
    // One call more than there are steps: the one that was cut off.
    expect(speech.requests).toHaveLength(before < 0 ? 2 : 1);
    expect(models.requests).toHaveLength(before < 0 ? 3 : 4);
    expect(models.refusals).toEqual([]);
    const { messages } = (await call('GET', `${next.url}/api/sessions/${id}/messages`)).body;
    expect(
      messages.map(
        ({ role, metadata }: { role: string; metadata: { voice?: string } }) => metadata.voice ?? role,
      ),
    ).toEqual(['transcript', 'merge', 'tool', 'merge', 'tool', 'merged', 'question', 'answer']);
    const { events } = (await call('GET', `${next.url}/api/sessions/${id}/events`)).body;
    const of = (type: string) => events.filter((event: { event_type: string }) => event.event_type === type);
    expect(of('step_finished').map(({ payload }: { payload: { step: number } }) => payload.step)).toEqual([
      1, 2, 3, 4,
    ]);
    expect(of('tool_call')).toHaveLength(2);
    expect(of('tool_result')).toHaveLength(2);
  });

  test.each([
    ['a merge that the model has said and its result', 'tool_call', 1],
    ['the last answer and the end of the run', 'run_finished', 2],
  ])('between %s nothing is done twice', async (_what, eventType, called) => {
    const { models, speech, start } = await voiceWorld({ config: await data() });
    models.script(merging(['A', 'C']), ANSWER);
    const dying = await start();
    const id = await dying.createSession({ engine_type: 'VoiceEngine' });
    const { storage } = dying.app.services;
    const append = storage.append.bind(storage);
    const stopped = Promise.withResolvers<void>();
    const dead = Promise.withResolvers<never>();
    storage.append = (batch) => {
      const isHere = batch.some(({ events }) => events.some((event) => event.eventType === eventType));
      if (!isHere) return append(batch);
      stopped.resolve();
      return dead.promise;
    };
    const parameters = { file_id: FILE.fileId, speakers: 2, prompt: 'Is Ada ready?' };
    const command = { command: 'process', parameters, run_id: randomUUID() };
    await call('POST', `${dying.url}/api/sessions/${id}/commands`, command, { prefer: 'respond-async' });
    await stopped.promise;
    await storage.close();
    dead.reject(new Error('the process is dead'));
    expect(models.requests).toHaveLength(called);

    const next = await start();
    const { body } = await call('POST', `${next.url}/api/sessions/${id}/commands`, command);

    expect(body).toMatchObject({
      status: 'completed',
      result: { mapping: { A: 'A', B: 'B', C: 'A' }, answer: { text: 'Ada is ready.' } },
    });
    expect([speech.requests.length, models.requests.length]).toEqual([1, 2]);
    const { events } = (await call('GET', `${next.url}/api/sessions/${id}/events`)).body;
    const types = events.map((event: { event_type: string }) => event.event_type);
    for (const once of ['tool_call', 'tool_result']) {
      expect(types.filter((type: string) => type === once)).toHaveLength(1);
    }
  });
});
