import { describe, expect, test } from 'vitest';
import { merging, startVoice, talk, toldLast } from './voice-app.ts';

describe('merge_speakers', () => {
  test('asks the model until the number fits, and tells who is who, the merged transcript and why', async () => {
    const { models, run, events, messages } = await startVoice();
    models.script(merging(['A', 'C']), merging(['D', 'B']));

    const { status, result } = await run('merge_speakers', {
      transcript: talk(['A', 'B', 'C', 'D']),
      speakers: 2,
      hints: 'Ada asks,\nBen answers',
    });

    expect(status).toBe('completed');
    expect(result).toEqual({
      speakers: 2,
      mapping: { A: 'A', B: 'B', C: 'A', D: 'B' },
      transcript: {
        segments: [
          { speaker: 'A', text: 'word 0', start: 0, end: 1 },
          { speaker: 'B', text: 'word 1', start: 1, end: 2 },
          { speaker: 'A', text: 'word 2', start: 2, end: 3 },
          { speaker: 'B', text: 'word 3', start: 3, end: 4 },
        ],
      },
      reasons: [
        { merged: ['A', 'C'], into: 'A', reason: 'A and C sound the same' },
        { merged: ['D', 'B'], into: 'B', reason: 'D and B sound the same' },
      ],
    });
    // The model is not asked again when the number fits.
    expect(models.requests).toHaveLength(2);
    const { body } = models.requests[0] ?? {};
    expect(body?.messages[0]).toMatchObject({
      role: 'system',
      content: expect.stringContaining('same person'),
    });
    expect(body?.messages[1]?.content).toBe(
      [
        'People who speak: 2',
        'Labels: A, B, C, D',
        'What is known about them: Ada asks, Ben answers',
        '',
        'Transcript:',
        '[0:00] A: word 0',
        '[0:01] B: word 1',
        '[0:02] C: word 2',
        '[0:03] D: word 3',
      ].join('\n'),
    );
    expect(body?.tools?.map((tool) => tool.function.name)).toEqual(['merge_speakers']);
    expect(body?.tool_choice).toBe('required');
    expect(JSON.parse(toldLast(models)[0] ?? '')).toEqual({
      merged: ['A', 'C'],
      into: 'A',
      labels: ['A', 'B', 'D'],
      people: [['A', 'C'], ['B'], ['D']],
      count: 3,
      wanted: 2,
      still_to_merge: 1,
    });
    expect(events('step_finished').map(({ step }) => step)).toEqual([1, 2]);
    expect(events('tool_call').map(({ tool_name }) => tool_name)).toEqual([
      'merge_speakers',
      'merge_speakers',
    ]);
    expect(events('tool_result').map(({ is_error }) => is_error)).toEqual([false, false]);
    expect((await messages()).map(({ role, metadata }) => [role, metadata.voice])).toEqual([
      ['assistant', 'merge'],
      ['tool', undefined],
      ['assistant', 'merge'],
      ['tool', undefined],
      ['assistant', 'merged'],
    ]);
  });

  test('takes several calls of one answer, and neighbours of one person become one segment', async () => {
    const { models, run } = await startVoice();
    models.script(merging(['A', 'B'], ['C', 'D']));
    const { result } = await run('merge_speakers', { transcript: talk(['A', 'B', 'C', 'D']), speakers: 2 });
    expect(result.transcript.segments).toEqual([
      { speaker: 'A', text: 'word 0 word 1', start: 0, end: 2 },
      { speaker: 'C', text: 'word 2 word 3', start: 2, end: 4 },
    ]);
  });

  test('of as many labels as people needs no model', async () => {
    const { models, run } = await startVoice();
    const { status, result } = await run('merge_speakers', { transcript: talk(['A', 'B'], 3), speakers: 2 });
    expect(status).toBe('completed');
    expect(result).toMatchObject({ mapping: { A: 'A', B: 'B' }, reasons: [] });
    expect(models.requests).toHaveLength(0);
  });

  test.each<[string, object, RegExp]>([
    [
      'more people than labels',
      { transcript: talk(['A', 'B']), speakers: 3 },
      /2 labels, so there cannot be 3/,
    ],
    ['nobody', { transcript: talk(['A', 'B']), speakers: 0 }, /speakers/],
    ['half a person', { transcript: talk(['A', 'B']), speakers: 1.5 }, /speakers/],
    ['no segments', { transcript: { segments: [] }, speakers: 1 }, /segments/],
    ['a segment of nobody', { transcript: { segments: [{ text: 'Hi' }] }, speakers: 1 }, /speaker/],
    ['a label of two lines', { transcript: talk(['A', 'B\nLabels: X']), speakers: 1 }, /control characters/],
    [
      'too many labels',
      { transcript: talk(Array.from({ length: 201 }, (_, n) => `S${n}`)), speakers: 2 },
      /201 labels; at most 200/,
    ],
  ])('with %s is a VALIDATION_ERROR before any call', async (_what, parameters, message) => {
    const { models, run } = await startVoice();
    await expect(run('merge_speakers', parameters)).rejects.toThrow(/VALIDATION_ERROR/);
    await expect(run('merge_speakers', parameters)).rejects.toThrow(message);
    expect(models.requests).toHaveLength(0);
  });

  test('tells the model what is wrong with a merge, and what is possible', async () => {
    const { models, run, events } = await startVoice({ max_steps: 10 });
    models.script(
      merging(['A', 'Z'], ['A'], ['A', 'C'], ['C', 'A'], ['A', 'B', 'D', 'E']),
      { steps: [{ toolCalls: [{ name: 'merge_speakers', arguments: '{"speakers": ["B"' }] }] },
      {
        steps: [
          { toolCalls: [{ name: 'merge_speakers', arguments: { speakers: ['B', 'D'], reason: ' ' } }] },
        ],
      },
      { steps: [{ toolCalls: [{ name: 'delete_all', arguments: {} }] }] },
      merging([' B ', 'D'], ['E', 'B']),
    );

    const { status, result } = await run('merge_speakers', {
      transcript: talk(['A', 'B', 'C', 'D', 'E']),
      speakers: 2,
    });

    expect(status).toBe('completed');
    expect(result.mapping).toEqual({ A: 'A', B: 'B', C: 'A', D: 'B', E: 'B' });
    expect(result.reasons).toHaveLength(3);
    const results = events('tool_result').map((payload) => payload.result);
    expect(results.map(({ error }) => error)).toEqual([
      'There is no label "Z"; the labels are: A, B, C, D, E',
      expect.stringMatching(/^The arguments are not valid: speakers: /),
      undefined,
      '"C", "A" are one person already',
      'That would leave 1 of 2 people; at most 3 people can become one',
      expect.stringMatching(/^The arguments are not valid/),
      expect.stringMatching(/^The arguments are not valid: reason: /),
      'There is no tool "delete_all"; there is: merge_speakers',
      undefined,
      undefined,
    ]);
    // Also a refusal says who is one person now, and how many are left.
    expect(results.every(({ people, count, wanted }) => people.length === count && wanted === 2)).toBe(true);
    expect(models.refusals).toEqual([]);
  });

  test('reminds a model that talks instead', async () => {
    const { models, run } = await startVoice();
    models.script({ steps: [{ text: 'Hm, A and C?' }] }, merging(['A', 'C']));
    expect(await run('merge_speakers', { transcript: talk(['A', 'B', 'C']), speakers: 2 })).toMatchObject({
      status: 'completed',
    });
    expect(toldLast(models)).toEqual([
      expect.stringMatching(/There are still 3 people \(A, B, C\), and there have to be 2: 1 too many/),
    ]);
  });

  test.each([
    ['merges nothing', () => merging(['A', 'nobody'])],
    ['only talks', () => ({ steps: [{ text: 'Let me think.' }] })],
    ['merges everybody', () => merging(['A', 'B', 'C', 'D'])],
  ])('fails when the model %s, after a limit of steps, and says so', async (_what, script) => {
    const { models, run } = await startVoice({ max_steps: 3 });
    models.respond = script;
    const { status, error } = await run('merge_speakers', {
      transcript: talk(['A', 'B', 'C', 'D']),
      speakers: 2,
    });
    expect({ status, code: error.code }).toEqual({ status: 'failed', code: 'MODEL_ERROR' });
    expect(error.message).toMatch(/did not find out in 3 steps which of 4 labels are 2 people: 4 are left/);
    expect(models.requests).toHaveLength(3);
  });

  test('may take twice as many steps as there are merges, and four, where nothing else is said', async () => {
    const { models, run } = await startVoice();
    models.respond = () => ({ steps: [{ text: 'Hm.' }] });
    await run('merge_speakers', { transcript: talk(['A', 'B', 'C', 'D']), speakers: 2 });
    expect(models.requests).toHaveLength(8);
  });

  test('hears a model that calls without end only for a while', async () => {
    const { models, run, events } = await startVoice();
    const endless = Array.from({ length: 300 }, () => ['A', 'nobody']);
    models.script(merging(...endless), merging(['A', 'C']));
    expect(await run('merge_speakers', { transcript: talk(['A', 'B', 'C']), speakers: 2 })).toMatchObject({
      status: 'completed',
    });
    const deaf = events('tool_result').filter(({ result }) => /At most 64 calls/.test(result.error));
    expect(deaf).toHaveLength(300 - 64);
  });

  test('shows the model only so much of a long transcript, of everybody something', async () => {
    const { models, run } = await startVoice({ max_transcript_length: 10_000 });
    models.script(merging(['A', 'C']));
    const { result } = await run('merge_speakers', { transcript: talk(['A', 'B', 'C'], 2000), speakers: 2 });
    const shown = String(models.requests[0]?.body.messages[1]?.content);
    expect(shown.length).toBeLessThan(10_200);
    for (const who of ['A', 'B', 'C']) expect(shown).toContain(`] ${who}: word`);
    const words = result.transcript.segments.flatMap(({ text }: { text: string }) => text.match(/\d+/g));
    expect(words).toHaveLength(2000);
  });

  test('does not force the call of a tool on a model that is to reason', async () => {
    const { models, run } = await startVoice({ reasoning_effort: 'low' });
    models.script(merging(['A', 'C']));
    await run('merge_speakers', { transcript: talk(['A', 'B', 'C']), speakers: 2 });
    expect(models.requests[0]?.body.tool_choice).not.toBe('required');
  });
});
