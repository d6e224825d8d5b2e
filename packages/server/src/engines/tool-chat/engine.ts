import type { Json, Message } from '@llmgine/protocol';
import type { Model } from '../../models/types.ts';
import { modelPromptSchema } from '../attachments.ts';
import { finishedMessages, promptResult, streamModelStep } from '../model-step.ts';
import type { EngineContext, EngineDefinition } from '../types.ts';
import { ChatContext } from './chat-context.ts';
import { type ToolChatConfig, toolChatConfigSchema } from './config.ts';
import { isSummary } from './summary.ts';
import { callTools, refuseCalls, toolCallsOf } from './tool-calls.ts';
import { NO_RECORD, toolRecord } from './tool-record.ts';
import { Toolbox } from './toolbox.ts';

/**
 * A conversation with history, in which the model may call tools until it has its answer. What a run has done is what the
 * conversation and the log say, so it goes on from its last finished step, in whatever process.
 */
export const toolChatEngine: EngineDefinition<typeof toolChatConfigSchema> = {
  type: 'ToolChatEngine',
  description: 'Keeps a conversation and lets the model call tools',
  config: toolChatConfigSchema,
  commands: {
    prompt: {
      description: 'Says something in the conversation and streams the answer',
      parameters: modelPromptSchema.meta({ examples: [{ prompt: 'Hello' }] }),
    },
  },
  resumable: true,
  create(config, services) {
    const model = services.model(config.model);
    const toolbox = new Toolbox(services.tools, config);
    return {
      run: async (context) => {
        // A run that is continued right after a start needs the tools that it had.
        await services.tools.settled();
        return chat(context, model, toolbox, config);
      },
    };
  },
};

async function chat(
  context: EngineContext,
  model: Model,
  toolbox: Toolbox,
  config: ToolChatConfig,
): Promise<Json> {
  const history = await context.history();
  const conversation = new ChatContext(context, model, config, history);
  const { answers, summaries, isAnswered } = pastOf(context, history);
  const left = answers.at(-1);
  let answer = left;
  let said = answers.length;
  let step = answers.length + summaries;
  let open = !isAnswered;
  // Of a run that is continued nobody knows it; the calls of an answer without tools are then told that there are none.
  let hadTools = said < config.max_steps;
  for (;;) {
    if (answer && open) {
      const calls = toolCallsOf(answer);
      if (calls.length === 0) return promptResult({ message: answer });
      const record = answer === left ? await toolRecord(context, answer) : NO_RECORD;
      // It may name tools although it had none.
      conversation.add(
        hadTools ? await callTools(context, toolbox, answer, calls, record) : refuseCalls(context, calls),
      );
      await context.drain();
    }
    if (answer && !hadTools) return promptResult({ message: answer });
    said++;
    const tools = toolbox.specs();
    hadTools = tools.length > 0 && said < config.max_steps;
    const request = await conversation.request(tools, () => ++step);
    // In the last step the model may call none of them, so that it has to answer with what it knows.
    const limited = hadTools || tools.length === 0 ? request : { ...request, toolChoice: 'none' as const };
    ({ message: answer } = await streamModelStep(context, model, limited, { step: ++step }));
    open = true;
    conversation.add(answer);
  }
}

/** What a run has done already, maybe in a process that is gone. */
function pastOf({ attempt, runId }: EngineContext, history: readonly Message[]) {
  const finished = attempt === 1 ? [] : finishedMessages(history, runId);
  const steps = finished.filter((message) => !isSummary(message));
  return {
    answers: steps.filter(({ role }) => role === 'assistant'),
    summaries: finished.length - steps.length,
    /** The calls of the last answer have their results. */
    isAnswered: steps.at(-1)?.role === 'tool',
  };
}
