/** Our request in the words of the OpenAI chat-completions wire. */
import { type Json, messageText } from '@llmgine/protocol';
import {
  type FilePart,
  fileText,
  prepareConversation,
  type ToolResultPart,
  type Turn,
} from './conversation.ts';
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

/** The JSON body of `POST /chat/completions`. What is not set is left out: servers refuse fields that they do not know. */
export function chatRequestBody(model: string, request: ModelRequest, maxTokens: MaxTokensField): string {
  const { system, tools, temperature, topP, maxOutputTokens, stopSequences } = request;
  const messages: object[] = prepareConversation(request.messages).flatMap(wireMessages);
  if (system !== undefined) messages.unshift({ role: 'system', content: system });
  return JSON.stringify({
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
    tools: tools?.length
      ? tools.map(({ name, description, parameters }) => ({
          type: 'function',
          function: { name, description, parameters },
        }))
      : undefined,
    temperature,
    top_p: topP,
    [maxTokens]: maxOutputTokens,
    stop: stopSequences?.length ? stopSequences : undefined,
  });
}

function wireMessages(turn: Turn): object[] {
  switch (turn.role) {
    case 'system':
      return [{ role: 'system', content: messageText(turn) }];
    case 'user':
      return [{ role: 'user', content: userContent(turn) }];
    case 'assistant':
      return [assistantMessage(turn)];
    case 'tool':
      return turn.parts
        .filter((part) => part.type === 'tool_result')
        .map((part) => ({ role: 'tool', tool_call_id: part.tool_call_id, content: resultText(part) }));
  }
}

function assistantMessage(turn: Turn): object {
  const calls = turn.parts.filter((part) => part.type === 'tool_call');
  const text = messageText(turn);
  if (calls.length === 0) return { role: 'assistant', content: text };
  return {
    role: 'assistant',
    content: text === '' ? null : text,
    tool_calls: calls.map((call) => ({
      id: call.tool_call_id,
      type: 'function',
      function: { name: call.tool_name, arguments: JSON.stringify(call.arguments) },
    })),
  };
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
  const url =
    part.url ?? (part.data === undefined ? undefined : `data:${part.mime_type};base64,${part.data}`);
  if (url !== undefined && part.mime_type.startsWith('image/') && /^(https?|data):/i.test(url)) {
    return { type: 'image_url', image_url: { url } };
  }
  const name = part.name === undefined ? 'A file' : `The file ${JSON.stringify(part.name)}`;
  const text = fileText(part);
  // Refusing instead would make every later run of the session fail on the same message.
  return text === undefined
    ? { type: 'text', text: `[${name} (${part.mime_type}) is attached, but cannot be shown to this model.]` }
    : { type: 'text', text: `${name} (${part.mime_type}):\n${text}` };
}

function resultText({ result, is_error }: ToolResultPart): string {
  const text = jsonText(result);
  return is_error ? `Error: ${text}` : text;
}

function jsonText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
