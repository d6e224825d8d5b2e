/** A conversation with tools for models that forget: what they say follows from the request, so it can be asked again. */
import type { ModelScript, RecordedRequest } from '../helpers/model-server.ts';

/** Text · two counting tools at once · text and one of them again, sometimes beside one that needs approval · text. */
export function toolConversation({ body }: RecordedRequest): ModelScript {
  const turn = body.messages.slice(body.messages.findLastIndex(({ role }) => role === 'user'));
  const results = turn.filter(({ role }) => role === 'tool').length;
  const prompt = String(turn[0]?.content);
  const calls = [
    { id: 'call_1', name: 'count', arguments: {} },
    { id: 'call_2', name: 'count_idempotent', arguments: {} },
  ];
  if (results === 0) return { steps: [...say(`First, for ${prompt}, two tools.`), { toolCalls: calls }] };
  if (results === 2) {
    const again = [{ id: 'call_3', name: 'count', arguments: {} }];
    const asking = [{ id: 'call_4', name: 'count_approved', arguments: {} }];
    const toolCalls = needsApproval(prompt) ? [...again, ...asking] : again;
    return { steps: [...say('Then one of them again.'), { toolCalls }] };
  }
  return { steps: say(`That was all for ${prompt}.`) };
}

/** Every second prompt of a client, by the number at its end. */
function needsApproval(prompt: string): boolean {
  return /[02468]$/.test(prompt);
}

function say(text: string): { text: string }[] {
  return text.split(/(?<= )/).map((word) => ({ text: word }));
}
