/** Our request in the words of the OpenAI chat-completions wire. */
import { type Json, messageText } from '@llmgine/protocol';
import {
  type FilePart,
  fileNote,
  prepareConversation,
  type ToolResultPart,
  type Turn,
} from './conversation.ts';
import { toolSchema } from './tool-schema.ts';
import type { ModelRequest } from './types.ts';

type WireContent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url'; readonly image_url: { readonly url: string } };

/** OpenAI's own newer models refuse `max_tokens`; most other servers know nothing else. */
export type MaxTokensField = 'max_tokens' | 'max_completion_tokens';

export function maxTokensField(baseURL: URL): MaxTokensField {
  const host = baseURL.hostname;
  return host === 'api.openai.com' || host.endsWith('.openai.azure.com')
    ? 'max_completion_tokens'
    : 'max_tokens';
}

export interface ChatWireOptions {
  /** The provider's name: what it wants back goes to it alone. */
  readonly provider: string;
  readonly maxTokens: MaxTokensField;
}

/** The JSON body of `POST /chat/completions`. What is not set is left out: servers refuse fields that they do not know. */
export function chatRequestBody(model: string, request: ModelRequest, options: ChatWireOptions): string {
  const { system, temperature, topP, maxOutputTokens, stopSequences } = request;
  const { reasoningEffort, toolChoice, responseFormat } = request;
  // Some servers, Ollama among them, know no `tool_choice`: their models would go on calling.
  const tools = toolChoice === 'none' ? [] : request.tools;
  const turns = prepareConversation(request.messages, options.provider);
  // Servers that want reasoning back want it for as long as tools are called, and some refuse it afterwards.
  const loop = turns.findLastIndex(({ role }) => role === 'user');
  const messages: object[] = turns.flatMap((turn, n) => wireMessages(turn, options.provider, n > loop));
  if (system !== undefined) messages.unshift({ role: 'system', content: system });
  return JSON.stringify({
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
    tools: tools?.length
      ? tools.map(({ name, description, parameters }) => ({
          type: 'function',
          function: { name, description, parameters: toolSchema(parameters) },
        }))
      : undefined,
    tool_choice: tools?.length ? toolChoice : undefined,
    temperature,
    top_p: topP,
    [options.maxTokens]: maxOutputTokens,
    stop: stopSequences?.length ? stopSequences : undefined,
    reasoning_effort: reasoningEffort,
    response_format: responseFormat && { type: 'json_schema', json_schema: responseFormat },
  });
}

function wireMessages(turn: Turn, provider: string, inLoop: boolean): object[] {
  switch (turn.role) {
    case 'system':
      return [{ role: 'system', content: messageText(turn) }];
    case 'user':
      return [{ role: 'user', content: userContent(turn) }];
    case 'assistant':
      return [assistantMessage(turn, provider, inLoop)];
    case 'tool':
      return turn.parts
        .filter((part) => part.type === 'tool_result')
        .map((part) => ({ role: 'tool', tool_call_id: part.tool_call_id, content: resultText(part) }));
  }
}

function assistantMessage(turn: Turn, provider: string, inLoop: boolean): object {
  const calls = turn.parts.filter((part) => part.type === 'tool_call');
  const text = messageText(turn);
  const reasoning = inLoop ? reasoningFields(turn, provider) : {};
  if (calls.length === 0) return { role: 'assistant', content: text, ...reasoning };
  return {
    role: 'assistant',
    content: text === '' ? null : text,
    ...reasoning,
    tool_calls: calls.map((call) => ({
      id: call.tool_call_id,
      type: 'function',
      function: { name: call.tool_name, arguments: JSON.stringify(call.arguments) },
      ...asObject(call.provider_metadata?.[provider]),
    })),
  };
}

/** Reasoning under the names under which it came. */
function reasoningFields({ parts }: Turn, provider: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const part of parts) {
    if (part.type !== 'reasoning') continue;
    const { field } = asObject(part.provider_metadata?.[provider]);
    if (field === 'reasoning_content' || field === 'reasoning') {
      fields[field] = (fields[field] ?? '') + part.text;
    }
  }
  return fields;
}

function asObject(value: Json | undefined): { readonly [key: string]: Json | undefined } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

/** A plain string where there is nothing but text: some servers know no other content. */
function userContent(turn: Turn): string | WireContent[] {
  const parts: WireContent[] = [];
  for (const part of turn.parts) {
    if (part.type === 'text') parts.push({ type: 'text', text: part.text });
    else if (part.type === 'file') parts.push(fileContent(part));
  }
  return parts.some((part) => part.type !== 'text') ? parts : parts.map((part) => textOf(part)).join('\n\n');
}

function textOf(part: WireContent): string {
  return part.type === 'text' ? part.text : '';
}

function fileContent(part: FilePart): WireContent {
  const url = part.url ?? (part.data ? `data:${part.mime_type};base64,${part.data}` : undefined);
  return url !== undefined && part.mime_type.startsWith('image/') && /^(https?|data):/i.test(url)
    ? { type: 'image_url', image_url: { url } }
    : { type: 'text', text: fileNote(part) };
}

function resultText({ result, is_error }: ToolResultPart): string {
  const text = typeof result === 'string' ? result : JSON.stringify(result);
  return is_error ? `Error: ${text}` : text;
}
