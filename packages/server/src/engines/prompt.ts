import { type MessagePart, promptParametersSchema } from '@llmgine/protocol';

/** What a person said with `prompt`: the text, then the attachments. */
export function promptParts(parameters: unknown): MessagePart[] {
  const { prompt, attachments = [] } = promptParametersSchema.parse(parameters);
  return [
    { type: 'text', text: prompt },
    ...attachments.map((file): MessagePart => ({ type: 'file', ...file })),
  ];
}
