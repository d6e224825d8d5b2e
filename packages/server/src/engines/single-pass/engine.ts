import type { Json, JsonObject, Message } from '@llmgine/protocol';
import { messageText } from '@llmgine/protocol';
import { modelError } from '../../models/model-error.ts';
import type { Model, ModelRequest } from '../../models/types.ts';
import { modelPromptSchema } from '../attachments.ts';
import { type ModelConfig, modelConfigSchema, requestOf } from '../model-config.ts';
import { finishedMessages, promptResult, streamModelStep } from '../model-step.ts';
import { promptParts } from '../prompt.ts';
import type { EngineContext, EngineDefinition } from '../types.ts';
import { responseSchema } from './response-schema.ts';
import { StructuredAnswer } from './structured-answer.ts';

const configSchema = modelConfigSchema.extend({ response_schema: responseSchema.optional() });

const promptSchema = modelPromptSchema
  .extend({
    response_schema: responseSchema
      .optional()
      .describe('JSON Schema of this answer, instead of the one of the configuration'),
  })
  .meta({ examples: [{ prompt: 'Hello' }] });

/**
 * One call of the model for each prompt, without history. Where the answer has to fit a schema and does not, the model is
 * told what is wrong with it, once.
 */
export const singlePassEngine: EngineDefinition<typeof configSchema> = {
  type: 'SinglePassEngine',
  description: 'Answers each prompt with one call of the model, without history',
  config: configSchema,
  commands: {
    prompt: { description: 'Says something to the model and streams its answer', parameters: promptSchema },
  },
  resumable: true,
  create(config, services) {
    const model = services.model(config.model);
    return { run: (context) => answer(context, model, config) };
  },
};

async function answer(
  context: EngineContext,
  model: Model,
  {
    response_schema: configured,
    ...config
  }: ModelConfig & { readonly response_schema?: JsonObject | undefined },
): Promise<Json> {
  const history = context.attempt === 1 ? [] : await context.history();
  const [first, second] = finishedMessages(history, context.runId);
  const prompt = { role: 'user' as const, parts: promptParts(context.parameters) ?? [] };
  const request: ModelRequest = { ...requestOf(config), messages: [prompt] };
  const schema = (context.parameters.response_schema as JsonObject | undefined) ?? configured;
  if (schema === undefined) {
    return promptResult({ message: first ?? (await streamModelStep(context, model, request)).message });
  }
  const structured = new StructuredAnswer(schema);
  const asked = structured.ask(request);
  const message = first ?? (await streamModelStep(context, model, asked)).message;
  const reading = read(structured, message);
  if (reading.ok) return structuredResult(message, reading.value);
  const repaired = second ?? (await repair(context, model, asked, message, reading.wrong));
  const again = read(structured, repaired);
  if (again.ok) return structuredResult(repaired, again.value);
  throw modelError(`The answer of the model does not fit the response_schema: ${again.wrong}`);
}

/** Says so when the answer is none, instead of blaming its JSON. */
function read(structured: StructuredAnswer, message: Message) {
  const { finish_reason: reason } = message.metadata;
  if (reason === 'content_filter') throw modelError('The model refused to answer', { remedy: 'nothing' });
  const reading = structured.read(messageText(message));
  if (reason === 'length' && !reading.ok) {
    throw modelError(
      'The answer of the model was cut: it is longer than the model may say (max_output_tokens)',
    );
  }
  return reading;
}

async function repair(
  context: EngineContext,
  model: Model,
  request: ModelRequest,
  wrong: Message,
  reason: string,
): Promise<Message> {
  context.emit({ event_type: 'status', payload: { text: 'Asking for an answer that fits the schema' } });
  const text = `Your answer does not fit the JSON Schema: ${reason}. Answer again, with the whole JSON and nothing else.`;
  const correction = { role: 'user' as const, parts: [{ type: 'text' as const, text }] };
  const messages = [...request.messages, wrong, correction];
  return (await streamModelStep(context, model, { ...request, messages }, { step: 2 })).message;
}

function structuredResult(message: Message, value: Json): Json {
  return { ...(promptResult({ message }) as JsonObject), value };
}
