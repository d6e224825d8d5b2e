/** What OpenAI refuses of a chat-completions request, in its words, and what other servers of the wire refuse besides. */
interface WireCall {
  readonly id?: unknown;
  readonly type?: unknown;
  readonly function?: { readonly name?: unknown; readonly arguments?: unknown };
}

interface WireMessage {
  readonly role?: unknown;
  readonly content?: unknown;
  readonly tool_calls?: unknown;
  readonly tool_call_id?: unknown;
}

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'];
const NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const CHOICES = ['oneOf', 'anyOf', 'allOf', 'enum', 'not'];

/** The complaints about the body of a request; empty when it is accepted. */
export function validateOpenAI(body: unknown): string[] {
  const { model, messages, tools, tool_choice, response_format } = (body ?? {}) as Record<string, unknown>;
  const complaints: string[] = [];
  if (typeof model !== 'string' || model === '') complaints.push('you must provide a model parameter');
  if (!Array.isArray(messages)) complaints.push("Missing required parameter: 'messages'.");
  else if (messages.length === 0) complaints.push("[] is too short - 'messages'");
  else complaints.push(...messages.flatMap((message, n) => messageComplaints(message, `messages[${n}]`)));
  if (Array.isArray(messages)) complaints.push(...pairComplaints(messages));
  if (tools !== undefined) complaints.push(...toolComplaints(tools));
  else if (tool_choice !== undefined && tool_choice !== null) {
    complaints.push("'tool_choice' is only allowed when 'tools' are specified.");
  }
  return [...complaints, ...formatComplaints(response_format)];
}

function messageComplaints({ role, content, tool_calls, tool_call_id }: WireMessage, at: string): string[] {
  if (!ROLES.includes(role as string))
    return [`Invalid value: '${role}'. '${at}.role' is not one of ${ROLES}.`];
  const calls = tool_calls === undefined ? [] : callComplaints(tool_calls, `${at}.tool_calls`);
  if (role !== 'assistant' && tool_calls !== undefined) calls.push(`Unknown parameter: '${at}.tool_calls'.`);
  if (role === 'tool' && typeof tool_call_id !== 'string')
    calls.push(`Missing parameter '${at}.tool_call_id'.`);
  if (content === null || content === undefined) {
    if (role === 'assistant' && Array.isArray(tool_calls) && tool_calls.length > 0) return calls;
    return [...calls, `Invalid value for 'content': expected a string, got null. ('${at}.content')`];
  }
  if (typeof content === 'string') return calls;
  if (!Array.isArray(content)) return [...calls, `Invalid type for '${at}.content'.`];
  if (content.length === 0) return [...calls, `[] is too short - '${at}.content'`];
  return [
    ...calls,
    ...content.flatMap((part, n) => partComplaints(part, role as string, `${at}.content[${n}]`)),
  ];
}

function partComplaints(part: Record<string, unknown>, role: string, at: string): string[] {
  if (part.type === 'text') return typeof part.text === 'string' ? [] : [`Invalid type for '${at}.text'.`];
  if (part.type === 'refusal' && role === 'assistant') return [];
  if (role !== 'user') return [`Invalid value: '${part.type}'. '${at}.type' has to be 'text'.`];
  if (part.type === 'image_url') {
    const { url } = (part.image_url ?? {}) as { url?: unknown };
    const isThere = typeof url === 'string' && /^(https?:\/\/.|data:image\/[\w.+-]+;base64,.)/.test(url);
    return isThere ? [] : [`Invalid image URL: '${at}.image_url.url'.`];
  }
  if (part.type !== 'file') {
    return part.type === 'input_audio' ? [] : [`Invalid value: '${part.type}' ('${at}.type').`];
  }
  const { file_data, file_id, filename } = (part.file ?? {}) as Record<string, unknown>;
  if (typeof file_id === 'string') return [];
  const isWhole = typeof filename === 'string' && /^data:[\w.+-]+\/[\w.+-]+;base64,./.test(String(file_data));
  return isWhole ? [] : [`Missing required parameter: '${at}.file.file_id'.`];
}

function callComplaints(calls: unknown, at: string): string[] {
  if (!Array.isArray(calls)) return [`Invalid type for '${at}'.`];
  if (calls.length === 0) return [`[] is too short - '${at}'`];
  const ids = calls.map(({ id }: WireCall) => id);
  return [
    ...(new Set(ids).size === ids.length ? [] : [`Duplicate value for 'tool_call_id' in '${at}'`]),
    ...calls.flatMap(({ id, type, function: called = {} }: WireCall, n) => [
      ...(typeof id === 'string' && id !== '' ? [] : [`Missing required parameter: '${at}[${n}].id'.`]),
      ...(type === 'function' ? [] : [`Invalid value: '${at}[${n}].type'.`]),
      ...(NAME.test(String(called.name)) ? [] : [`Invalid '${at}[${n}].function.name'.`]),
      // OpenAI takes any text, but the templates of most open models take it apart.
      ...(isObjectText(called.arguments) ? [] : [`'${at}[${n}].function.arguments' is no JSON object.`]),
    ]),
  ];
}

/** Each call is answered right after its message, once, and nothing else is answered. */
function pairComplaints(messages: readonly WireMessage[]): string[] {
  const complaints: string[] = [];
  let open = new Set<unknown>();
  const close = (at: number) => {
    if (open.size === 0) return;
    complaints.push(
      "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. " +
        `The following tool_call_ids did not have response messages: ${[...open].join(', ')} (before messages[${at}])`,
    );
    open = new Set();
  };
  for (const [at, { role, tool_calls, tool_call_id }] of messages.entries()) {
    if (role === 'tool') {
      if (open.delete(tool_call_id)) continue;
      complaints.push(
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'. " +
          `('messages[${at}].role')`,
      );
      continue;
    }
    close(at);
    if (Array.isArray(tool_calls)) open = new Set(tool_calls.map(({ id }: WireCall) => id));
  }
  close(messages.length);
  return complaints;
}

function toolComplaints(tools: unknown): string[] {
  if (!Array.isArray(tools) || tools.length === 0) return ["[] is too short - 'tools'"];
  const names = tools.map(({ function: tool }) => tool?.name as unknown);
  return [
    ...(new Set(names).size === names.length ? [] : ['Tool names must be unique.']),
    ...names.flatMap((name, n) => (NAME.test(String(name)) ? [] : [`Invalid 'tools[${n}].function.name'.`])),
    ...tools.flatMap(({ function: tool }) => schemaComplaints(tool?.parameters, tool?.name)),
  ];
}

function schemaComplaints(parameters: unknown, name: unknown): string[] {
  if (parameters === undefined) return [];
  const schema = (parameters ?? {}) as Record<string, unknown>;
  const isPlain = schema.type === 'object' && CHOICES.every((word) => schema[word] === undefined);
  if (!isPlain) {
    return [
      `Invalid schema for function '${name}': schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level.`,
    ];
  }
  const hasProperties = typeof schema.properties === 'object' && schema.properties !== null;
  return hasProperties
    ? []
    : [`Invalid schema for function '${name}': In context=(), object schema missing properties.`];
}

function formatComplaints(format: unknown): string[] {
  if (format === undefined) return [];
  const { type, json_schema } = format as { type?: unknown; json_schema?: Record<string, unknown> };
  if (type === 'text' || type === 'json_object') return [];
  if (type !== 'json_schema') return ["Invalid value: 'response_format.type'."];
  const isWhole = NAME.test(String(json_schema?.name)) && typeof json_schema?.schema === 'object';
  return isWhole ? [] : ["Missing required parameter: 'response_format.json_schema'."];
}

function isObjectText(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
