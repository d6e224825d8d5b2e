import type { Json, JsonObject } from '@llmgine/protocol';
import type { DemoPiece } from './demo-answer.ts';
import type { ModelRequest } from './types.ts';

const TOOL = 'merge_speakers';

/**
 * What the demo model does when it has to say which labels of a transcript are one person: it takes the first and the last
 * of those that are left, and says that it cannot know. Undefined when it is asked for something else.
 */
export function demoMerge({ messages, tools = [] }: ModelRequest): DemoPiece[] | undefined {
  const tool = tools.find(({ name }) => name === TOOL);
  if (!tool || (tool.parameters.properties as JsonObject | undefined)?.speakers === undefined)
    return undefined;
  const labels = labelsLeft(messages);
  const [first, last] = [labels[0], labels.at(-1)];
  if (first === undefined || last === undefined || labels.length < 2) return undefined;
  const calls = messages.flatMap(({ parts }) => parts.filter(({ type }) => type === 'tool_call'));
  const reason = `The demo model cannot judge voices: it takes ${first} and ${last} for one person by rule.`;
  return [
    { kind: 'reasoning', text: `Of ${labels.join(', ')}, two have to be one person.` },
    {
      kind: 'tool_call',
      call: {
        toolCallId: `demo_call_${calls.length + 1}`,
        toolName: TOOL,
        arguments: { speakers: [first, last], reason },
      },
    },
  ];
}

/** As the newest result has them; before the first one, as the line `Labels: A, B, C` of the question has them. */
function labelsLeft(messages: ModelRequest['messages']): readonly string[] {
  for (const { parts } of messages.toReversed()) {
    for (const part of parts.toReversed()) {
      if (part.type === 'tool_result' && part.tool_name === TOOL) {
        const labels = textsOf((part.result as JsonObject | null)?.labels);
        if (labels.length > 0) return labels;
      }
      const line = part.type === 'text' ? /^Labels: (.+)$/m.exec(part.text)?.[1] : undefined;
      if (line !== undefined) return line.split(', ');
    }
  }
  return [];
}

/** What a person asks about a transcript that comes before it; else the text itself. */
export function withoutTranscript(prompt: string): string {
  const mark = '\n\nPrompt:\n';
  const at = prompt.startsWith('Transcript:\n') ? prompt.lastIndexOf(mark) : -1;
  return at === -1 ? prompt : prompt.slice(at + mark.length);
}

function textsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
