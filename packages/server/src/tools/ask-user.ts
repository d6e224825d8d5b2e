import type { JsonObject } from '@llmgine/protocol';
import { z } from 'zod';
import type { ToolDefinition } from './types.ts';

const MAX_QUESTION = 2000;
const MAX_FIELDS = 20;
const MAX_OPTIONS = 50;
const MAX_LABEL = 200;
/** Characters that a person may write into one field. */
const MAX_TEXT = 10_000;
/** Characters of a form as JSON. What is larger is no question any more, and JSON Schema has its own limit. */
const MAX_FORM = 50_000;
/** Letters first: `__proto__` is no field. */
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

const field = z.object({
  name: z.string().regex(FIELD_NAME).describe('What the answer is called in the result'),
  label: z.string().min(1).max(MAX_LABEL).optional().describe('What the person reads; default: the name'),
  type: z.enum(['text', 'number', 'boolean', 'choice']).default('text'),
  options: z
    .array(z.string().min(1).max(MAX_LABEL))
    .min(1)
    .max(MAX_OPTIONS)
    .optional()
    .describe('Of a choice'),
  required: z.boolean().default(true),
});

type Field = z.output<typeof field>;

const parameters = z
  .object({
    question: z.string().trim().min(1).max(MAX_QUESTION).describe('What the person reads'),
    fields: z
      .array(field)
      .min(1)
      .max(MAX_FIELDS)
      .optional()
      .describe('What the person fills in; default: one free text, "answer"'),
  })
  .superRefine(({ fields = [] }, context) => {
    const complain = (index: number, name: string, message: string) =>
      context.addIssue({ code: 'custom', path: ['fields', index, name], message });
    if (JSON.stringify(formSchema(fields)).length > MAX_FORM) {
      context.addIssue({ code: 'custom', path: ['fields'], message: 'the form is too large' });
    }
    for (const [index, { name, type, options }] of fields.entries()) {
      if (fields.findIndex((other) => other.name === name) < index) {
        complain(index, 'name', `there are two fields ${JSON.stringify(name)}`);
      }
      if (type === 'choice' && !options) complain(index, 'options', 'a choice needs options');
      if (type !== 'choice' && options) complain(index, 'options', `a ${type} has no options`);
      if (options && new Set(options).size < options.length) complain(index, 'options', 'two are the same');
    }
  });

const FREE_ANSWER: readonly Field[] = [{ name: 'answer', type: 'text', required: true }];

/** The model asks the person whom it works for, and waits. */
export const askUserTool: ToolDefinition<typeof parameters> = {
  name: 'ask_user',
  description:
    'Asks the user a question and waits for the answer. Use it when only the user can know or decide, not for what you ' +
    'can find out yourself. Ask for everything that you need at once, with a field for each thing.',
  parameters,
  form: ({ question, fields = FREE_ANSWER }) => ({ prompt: question, schema: formSchema(fields) }),
};

function formSchema(fields: readonly Field[]): JsonObject {
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map((one) => [one.name, fieldSchema(one)])),
    required: fields.filter(({ required }) => required).map(({ name }) => name),
    additionalProperties: false,
  };
}

function fieldSchema({ label, type, options = [], required }: Field): JsonObject {
  const title: JsonObject = label === undefined ? {} : { title: label };
  switch (type) {
    case 'text':
      return { ...title, type: 'string', ...(required ? { minLength: 1 } : {}), maxLength: MAX_TEXT };
    case 'choice':
      return { ...title, type: 'string', enum: [...options] };
    default:
      return { ...title, type };
  }
}
