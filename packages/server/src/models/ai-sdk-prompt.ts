/** Our request as the call options of a `LanguageModelV4`. */
import type {
  JSONSchema7,
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
  LanguageModelV4ToolResultPart,
} from '@ai-sdk/provider';
import { messageText } from '@llmgine/protocol';
import {
  type FilePart,
  fileText,
  prepareConversation,
  type ToolResultPart,
  type Turn,
} from './conversation.ts';
import type { ModelRequest } from './types.ts';

type UserPart = Extract<LanguageModelV4Message, { role: 'user' }>['content'][number];
type AssistantPart = Extract<LanguageModelV4Message, { role: 'assistant' }>['content'][number];

export function callOptions(request: ModelRequest, abortSignal: AbortSignal): LanguageModelV4CallOptions {
  const { system, tools, temperature, topP, maxOutputTokens, stopSequences } = request;
  const prompt = prepareConversation(request.messages).map(promptMessage);
  if (system !== undefined) prompt.unshift({ role: 'system', content: system });
  return {
    prompt,
    abortSignal,
    ...(tools?.length
      ? {
          tools: tools.map(({ name, description, parameters }) => ({
            type: 'function' as const,
            name,
            description,
            inputSchema: parameters as JSONSchema7,
          })),
        }
      : {}),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(stopSequences?.length ? { stopSequences: [...stopSequences] } : {}),
  };
}

function promptMessage(turn: Turn): LanguageModelV4Message {
  switch (turn.role) {
    case 'system':
      return { role: 'system', content: messageText(turn) };
    case 'user':
      return { role: 'user', content: turn.parts.flatMap(userPart) };
    case 'assistant':
      return { role: 'assistant', content: turn.parts.flatMap(assistantPart) };
    case 'tool':
      return {
        role: 'tool',
        content: turn.parts.filter((part) => part.type === 'tool_result').map(resultPart),
      };
  }
}

function userPart(part: Turn['parts'][number]): UserPart[] {
  if (part.type === 'text') return [{ type: 'text', text: part.text }];
  return part.type === 'file' ? [filePart(part)] : [];
}

function assistantPart(part: Turn['parts'][number]): AssistantPart[] {
  if (part.type === 'text') return [{ type: 'text', text: part.text }];
  if (part.type !== 'tool_call') return [];
  return [
    {
      type: 'tool-call',
      toolCallId: part.tool_call_id,
      toolName: part.tool_name,
      input: part.arguments,
    },
  ];
}

function resultPart({
  tool_call_id,
  tool_name,
  result,
  is_error,
}: ToolResultPart): LanguageModelV4ToolResultPart {
  const isText = typeof result === 'string';
  const output = is_error
    ? isText
      ? ({ type: 'error-text', value: result } as const)
      : ({ type: 'error-json', value: result } as const)
    : isText
      ? ({ type: 'text', value: result } as const)
      : ({ type: 'json', value: result } as const);
  return { type: 'tool-result', toolCallId: tool_call_id, toolName: tool_name, output };
}

function filePart(part: FilePart): UserPart {
  const name = part.name === undefined ? 'A file' : `The file ${JSON.stringify(part.name)}`;
  const text = fileText(part);
  if (text !== undefined) return { type: 'text', text: `${name} (${part.mime_type}):\n${text}` };
  const data =
    part.data !== undefined
      ? ({ type: 'data', data: part.data } as const)
      : part.url !== undefined && URL.canParse(part.url)
        ? ({ type: 'url', url: new URL(part.url) } as const)
        : undefined;
  if (data === undefined)
    return { type: 'text', text: `[${name} (${part.mime_type}) is attached, but empty.]` };
  return {
    type: 'file',
    mediaType: part.mime_type,
    data,
    ...(part.name === undefined ? {} : { filename: part.name }),
  };
}
