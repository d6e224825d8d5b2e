import type { ModelScript, ModelServer } from '../../../../tests/helpers/model-server.ts';
import type { Model, ModelRequest } from '../../src/models/types.ts';
import { type HeldScene, type Scene, SECRET, type Subject } from './contract.ts';

const REQUEST: ModelRequest = {
  messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }],
  tools: [{ name: 'calculate', description: 'Calculates', parameters: { type: 'object', properties: {} } }],
};
const QUOTING = { message: `the reason, with ${SECRET} and Authorization: Bearer ${SECRET}` };

/** A model of any wire, before a server of our own that speaks it. */
export function wireSubject<Body>(
  name: string,
  server: () => ModelServer<Body>,
  model: () => Model,
  skips: Subject['skips'] = {},
): Subject {
  const scene = (script: ModelScript): Scene => {
    server().script(script);
    return { model: model(), request: REQUEST };
  };
  const hold = (script: (gate: ReturnType<ModelServer['gate']>) => ModelScript) => {
    const gate = server().gate();
    const request = server().received(server().requests.length + 1);
    return {
      ...scene(script(gate)),
      reached: gate.reached,
      closed: request.then(({ closed }) => closed),
    } satisfies HeldScene;
  };
  const words = Array.from({ length: 32 }, (_, n) => ({ text: `wörd${n} 😀 ` }));

  return {
    name,
    reasoning: () => ({
      scene: scene({
        steps: [{ reasoning: 'Hm, ' }, { reasoning: 'so.', field: 'reasoning' }, { text: 'Yes' }],
      }),
      reasoned: 'Hm, so.',
      next: 'text',
    }),
    text: () => ({ scene: scene({ steps: words }), text: words.map(({ text }) => text).join('') }),
    burst: () => ({
      scene: scene({ steps: words, burst: true }),
      text: words.map(({ text }) => text).join(''),
    }),
    tools: () => ({
      scene: scene({
        steps: [
          {
            toolCalls: [
              { name: 'calculate', arguments: { expression: '2 * (3+4)', note: 'ünï "quoted" \n' } },
              { name: 'current_time', arguments: '' },
              { name: 'calculate', arguments: { expression: '1' } },
            ],
          },
        ],
      }),
      calls: [
        { name: 'calculate', arguments: { expression: '2 * (3+4)', note: 'ünï "quoted" \n' } },
        { name: 'current_time', arguments: {} },
        { name: 'calculate', arguments: { expression: '1' } },
      ],
    }),
    cut: () => scene({ steps: [{ text: 'one two three' }], finish: 'length' }),
    usage: () => ({
      scene: scene({
        steps: [{ text: 'Hello' }],
        tokens: { input: 120, output: 30, cached: 100, reasoning: 20 },
      }),
      usage: {
        input_tokens: 120,
        output_tokens: 30,
        total_tokens: 150,
        cached_input_tokens: 100,
        reasoning_tokens: 20,
      },
    }),
    refusing: () => scene({ steps: [{ refusal: 'I must ' }, { refusal: 'not.' }] }),
    held: () => hold((gate) => ({ steps: [{ text: 'Hel' }, { gate }, { text: 'lo' }] })),
    silent: () => hold((gate) => ({ headersGate: gate })),
    failing: (status) =>
      scene({ status, error: QUOTING, headers: status === 429 ? { 'retry-after': '7' } : {} }),
    failingMidway: () => scene({ steps: [{ text: 'Hel' }, { error: QUOTING }, { text: 'lo' }] }),
    overloaded: () =>
      scene({
        steps: [
          { error: { message: 'the reason', type: 'overloaded_error', code: 503, status: 'UNAVAILABLE' } },
        ],
      }),
    dropping: () => scene({ steps: [{ text: 'Hel' }, { drop: true }] }),
    ending: () => scene({ steps: [{ text: 'Hel' }], finish: null }),
    garbled: () => scene({ steps: [{ text: 'Hel' }, { raw: 'data: {"choices": [\n\n' }, { text: 'lo' }] }),
    skips,
  };
}
