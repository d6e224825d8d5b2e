import { type MessagePart, promptParametersSchema } from '@llmgine/protocol';

/**
 * What a person said with `prompt`: the text, then the attachments. Null when the parameters are not those of a prompt,
 * which an engine with a schema of its own may have.
 */
export function promptParts(parameters: unknown): MessagePart[] | null {
  const parsed = promptParametersSchema.safeParse(parameters);
  if (!parsed.success) return null;
  const { prompt, attachments = [] } = parsed.data;
  return [
    { type: 'text', text: prompt },
    ...attachments.map((file): MessagePart => ({ type: 'file', ...file })),
  ];
}
