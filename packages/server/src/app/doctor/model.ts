import { ApiError } from '@llmgine/protocol';
import type { APIConfig } from '../../config.ts';
import { checkDefaultModel, configuredModel } from '../../models/default-model.ts';
import { findLocalModel } from '../../models/local-model.ts';
import { createModels, type Models } from '../../models/registry.ts';
import type { ModelRequest, ModelSink } from '../../models/types.ts';
import { type Finding, ok, problem, reasonOf, warning } from './check.ts';

const REMEDY =
  'look at the key, at the name of the model, and at the network; LLMGINE_API_MODEL chooses another';
/** The smallest question that every provider takes. */
const QUESTION: ModelRequest = {
  messages: [{ role: 'user', parts: [{ type: 'text', text: 'Say: ok' }] }],
  maxOutputTokens: 16,
};

export interface ModelCheckOptions {
  /** Asks no provider that is not on this machine. */
  readonly offline: boolean;
  readonly timeoutMs: number;
}

/** The default model: which one it is, and whether it answers. Each one that stands in for another has a finding. */
export async function checkModels(
  config: APIConfig,
  { offline, timeoutMs }: ModelCheckOptions,
): Promise<readonly Finding[]> {
  let models: Models | undefined;
  try {
    const localModel = configuredModel(config) === undefined ? await findLocalModel(config) : undefined;
    // What fails is said, not tried again.
    const values = { ...config.values, modelRetries: 0 };
    models = createModels({ config: { values, providers: config.providers }, localModel });
    checkDefaultModel(models, config);
    const { defaultModel, hint } = models;
    if (hint !== undefined) return [warning(`${defaultModel}, which answers without a model`, hint)];
    const findings: Finding[] = [];
    for (const name of defaultModel.split(',')) {
      findings.push(await checkModel(models, name.trim(), { offline, timeoutMs }, config));
    }
    return findings;
  } catch (error) {
    return [problem(config.redact(reasonOf(error)), REMEDY)];
  } finally {
    await models?.close();
  }
}

async function checkModel(
  models: Models,
  name: string,
  { offline, timeoutMs }: ModelCheckOptions,
  config: APIConfig,
): Promise<Finding> {
  const model = models.resolve(name);
  if (name === 'demo' || name.startsWith('demo:')) return ok(`${name}, which answers without a model`);
  if (offline) return ok(`${model.id} is configured (not asked: --offline)`);
  const answered = new AbortController();
  const began = performance.now();
  const took = () => `${Math.round(performance.now() - began)} ms`;
  try {
    const signal = AbortSignal.any([answered.signal, AbortSignal.timeout(timeoutMs)]);
    await model.stream(QUESTION, firstPiece(answered), signal);
    return ok(`${model.id} answers after ${took()}`);
  } catch (error) {
    if (answered.signal.aborted) return ok(`${model.id} answers after ${took()}`);
    const late = !(error instanceof ApiError);
    const reason = late ? `no answer in ${timeoutMs / 1000} s` : reasonOf(error);
    return problem(`${model.id}: ${config.redact(reason)}`, REMEDY);
  }
}

/** Whoever has said something does not have to go on. */
function firstPiece(answered: AbortController): ModelSink {
  const enough = () => {
    answered.abort();
    return true;
  };
  return {
    text: enough,
    reasoning: enough,
    toolCall: enough,
    metadata: () => {},
    notice: () => {},
    drain: async () => {},
  };
}
