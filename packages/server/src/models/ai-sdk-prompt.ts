/** Our request as the call options of a `LanguageModelV4`. */
import type {
  JSONSchema7,
  LanguageModelV4CallOptions,
  LanguageModelV4FunctionTool,
  LanguageModelV4Message,
  LanguageModelV4ToolResultPart,
  SharedV4ProviderOptions,
} from '@ai-sdk/provider';
import { type JsonObject, messageText } from '@llmgine/protocol';
import { uniqueCallIds } from './call-ids.ts';
import {
  type FilePart,
  fileNote,
  fileText,
  prepareConversation,
  type ToolResultPart,
  type Turn,
} from './conversation.ts';
import { toolSchema } from './tool-schema.ts';
import type { ModelRequest, ToolSpec } from './types.ts';

type UserPart = Extract<LanguageModelV4Message, { role: 'user' }>['content'][number];
type AssistantPart = Extract<LanguageModelV4Message, { role: 'assistant' }>['content'][number];

/** What a provider takes besides what every provider does. */
export interface PromptOptions {
  /** The provider's name: what it wants back goes to it alone. */
  readonly provider: string;
  /** The file types that it reads, in the message or at an address. Default: images. */
  readonly readsFile?: (mimeType: string, source: 'data' | 'url') => boolean;
  /** It refuses to reason where it has to call a tool, and in a loop whose calls came without reasoning of its own. */
  readonly reasonsFromTheStart?: boolean;
  /** It refuses a conversation in which tools were called when the request has none. */
  readonly needsToolsOfCalls?: boolean;
  /** Options of its own that go with each request. */
  readonly providerOptions?: (request: ModelRequest) => SharedV4ProviderOptions;
}

export function callOptions(
  request: ModelRequest,
  abortSignal: AbortSignal,
  options: PromptOptions,
): LanguageModelV4CallOptions {
  const { system, temperature, topP, maxOutputTokens, stopSequences, responseFormat } = request;
  const turns = uniqueCallIds(prepareConversation(request.messages, options.provider));
  const reasoning = canReason(turns, request, options) ? request.reasoningEffort : undefined;
  const prompt = turns.map((turn, n) => promptMessage(turn, isFront(turns, n), options));
  // The conversation may have begun with a greeting, or lost its beginning: some providers want a person to speak first.
  if (prompt.find(({ role }) => role !== 'system')?.role === 'assistant') {
    const first = prompt.findIndex(({ role }) => role === 'assistant');
    prompt.splice(first, 0, {
      role: 'user',
      content: [{ type: 'text', text: '(The conversation begins.)' }],
    });
  }
  if (system !== undefined && system.trim() !== '') prompt.unshift({ role: 'system', content: system });
  const providerOptions = options.providerOptions?.(request);
  return {
    prompt,
    abortSignal,
    ...toolOptions(turns, request, options),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(stopSequences?.length ? { stopSequences: [...stopSequences] } : {}),
    ...(reasoning === undefined ? {} : { reasoning }),
    ...(responseFormat === undefined
      ? {}
      : {
          responseFormat: {
            type: 'json' as const,
            name: responseFormat.name,
            schema: responseFormat.schema as JSONSchema7,
          },
        }),
    ...(providerOptions === undefined ? {} : { providerOptions }),
  };
}

/** `none` keeps the tools: that they are not to be called is for the provider to see to. */
function toolOptions(
  turns: readonly Turn[],
  { tools = [], toolChoice }: ModelRequest,
  { needsToolsOfCalls = false }: PromptOptions,
): Pick<LanguageModelV4CallOptions, 'tools' | 'toolChoice'> {
  if (tools.length > 0) {
    return {
      tools: tools.map(functionTool),
      ...(toolChoice === undefined ? {} : { toolChoice: { type: toolChoice } }),
    };
  }
  const lost = needsToolsOfCalls ? toolsOfCalls(turns) : [];
  return lost.length === 0 ? {} : { tools: lost.map(functionTool), toolChoice: { type: 'none' } };
}

function functionTool({ name, description, parameters }: ToolSpec): LanguageModelV4FunctionTool {
  return { type: 'function', name, description, inputSchema: toolSchema(parameters) as JSONSchema7 };
}

/** The tools that were called in the conversation, for a request that offers none. */
function toolsOfCalls(turns: readonly Turn[]): ToolSpec[] {
  const calls = turns.flatMap(({ parts }) => parts.filter((part) => part.type === 'tool_call'));
  const names = new Set(calls.map(({ tool_name }) => tool_name));
  return [...names].map((name) => ({
    name,
    description: 'Not available any more.',
    parameters: { type: 'object', properties: {} },
  }));
}

/** Another model may have begun the loop, or this one without reasoning. */
function canReason(
  turns: readonly Turn[],
  { toolChoice }: ModelRequest,
  { reasonsFromTheStart = false }: PromptOptions,
): boolean {
  if (!reasonsFromTheStart) return true;
  if (toolChoice === 'required') return false;
  return turns.at(-1)?.role !== 'tool' || turns.at(-2)?.parts[0]?.type === 'reasoning';
}

/** Providers know system messages only before everything else. */
function isFront(turns: readonly Turn[], index: number): boolean {
  return turns.slice(0, index).every(({ role }) => role === 'system');
}

function promptMessage(turn: Turn, isFront: boolean, options: PromptOptions): LanguageModelV4Message {
  switch (turn.role) {
    case 'system':
      return isFront
        ? { role: 'system', content: messageText(turn) }
        : { role: 'user', content: [{ type: 'text', text: messageText(turn) }] };
    case 'user':
      return { role: 'user', content: turn.parts.flatMap((part) => userPart(part, options)) };
    case 'assistant':
      return { role: 'assistant', content: turn.parts.flatMap(assistantPart) };
    case 'tool':
      return {
        role: 'tool',
        content: turn.parts.filter((part) => part.type === 'tool_result').map(resultPart),
      };
  }
}

function userPart(part: Turn['parts'][number], options: PromptOptions): UserPart[] {
  if (part.type === 'text') return [{ type: 'text', text: part.text }];
  return part.type === 'file' ? [filePart(part, options)] : [];
}

function assistantPart(part: Turn['parts'][number]): AssistantPart[] {
  if (part.type === 'tool_result' || part.type === 'file') return [];
  const providerOptions = optionsOf(part.provider_metadata);
  if (part.type !== 'tool_call') return [{ type: part.type, text: part.text, ...providerOptions }];
  return [
    {
      type: 'tool-call',
      toolCallId: part.tool_call_id,
      toolName: part.tool_name,
      input: part.arguments,
      ...providerOptions,
    },
  ];
}

function optionsOf(metadata: JsonObject | undefined): { readonly providerOptions?: SharedV4ProviderOptions } {
  return metadata === undefined ? {} : { providerOptions: metadata as SharedV4ProviderOptions };
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

function filePart(part: FilePart, { readsFile = isImage }: PromptOptions): UserPart {
  const data = fileText(part) === undefined ? fileData(part) : undefined;
  if (data === undefined || !readsFile(part.mime_type, data.type)) {
    return { type: 'text', text: fileNote(part) };
  }
  return {
    type: 'file',
    mediaType: part.mime_type,
    data,
    ...(part.name === undefined ? {} : { filename: part.name }),
  };
}

function isImage(mimeType: string): boolean {
  return mimeType.startsWith('image/');
}

type FileData =
  | { readonly type: 'data'; readonly data: string }
  | { readonly type: 'url'; readonly url: URL };

function fileData({ data, url }: FilePart): FileData | undefined {
  if (data) return { type: 'data', data };
  const inline = /^data:[^,]*;base64,(.+)$/is.exec(url ?? '')?.[1];
  if (inline !== undefined) return { type: 'data', data: inline };
  return url !== undefined && /^https?:/i.test(url) && URL.canParse(url)
    ? { type: 'url', url: new URL(url) }
    : undefined;
}
