/** A conversation with tools for models that forget: what they say follows from the request, so it can be asked again. */
import type { ModelScript, RecordedRequest } from '../helpers/model-server.ts';

/** Text · two counting tools at once · text and one of them again, mostly beside some that wait for people · text. */
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
    return { steps: [...say('Then one of them again.'), { toolCalls: [...again, ...asking(prompt)] }] };
  }
  return { steps: say(`That was all for ${prompt}.`) };
}

/** By the number at the end of a prompt: nothing, an approval, a tool of a client, or both and an approval of the latter. */
function asking(prompt: string) {
  const kind = Number(/\d+$/.exec(prompt)?.[0] ?? 1) % 4;
  const approved = { id: 'call_4', name: 'count_approved', arguments: {} };
  const inClient = { id: 'call_5', name: 'count_client', arguments: { ask: kind === 0 } };
  return [...(kind % 2 === 0 ? [approved] : []), ...(kind === 0 || kind === 3 ? [inClient] : [])];
}

function say(text: string): { text: string }[] {
  return text.split(/(?<= )/).map((word) => ({ text: word }));
}
