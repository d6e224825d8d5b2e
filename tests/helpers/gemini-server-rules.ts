/** What Gemini refuses of a generateContent request, in its words. */
interface Part {
  readonly text?: unknown;
  readonly thought?: unknown;
  readonly thoughtSignature?: unknown;
  readonly functionCall?: { readonly name?: unknown; readonly args?: unknown };
  readonly functionResponse?: { readonly name?: unknown; readonly response?: unknown };
  readonly inlineData?: { readonly mimeType?: unknown; readonly data?: unknown };
  readonly fileData?: { readonly fileUri?: unknown };
}

interface Content {
  readonly role?: unknown;
  readonly parts?: unknown;
}

export interface GeminiRules {
  /** Tells whether this model has made this thought signature. Default: it has. */
  readonly isSigned?: (signature: string) => boolean;
  /** Gemini 3 wants the signature of the first call of each step of the current turn back. Default false. */
  readonly needsSignatures?: boolean;
}

const DATA = ['text', 'functionCall', 'functionResponse', 'inlineData', 'fileData'] as const;
const NAME = /^[a-zA-Z_][\w.:-]{0,63}$/;
/** What the provider documents for calls whose signature is not there, because another model has made them. */
const NO_SIGNATURE = 'skip_thought_signature_validator';

/** The complaints about the body of a request; empty when it is accepted. */
export function validateGemini(body: unknown, rules: GeminiRules = {}): string[] {
  const { contents, tools, systemInstruction } = (body ?? {}) as Record<string, unknown>;
  const complaints = toolComplaints(tools);
  if (systemInstruction !== undefined && partsOf(systemInstruction as Content).length === 0) {
    complaints.push('* GenerateContentRequest.system_instruction.parts: must not be empty');
  }
  if (!Array.isArray(contents) || contents.length === 0) {
    return [...complaints, '* GenerateContentRequest.contents: contents is not specified'];
  }
  complaints.push(...contents.flatMap((content, n) => contentComplaints(content, n, rules)));
  const turns = merged(contents);
  complaints.push(...orderComplaints(turns));
  if (rules.needsSignatures) complaints.push(...signatureComplaints(turns));
  return complaints;
}

function partsOf({ parts }: Content): readonly Part[] {
  return Array.isArray(parts) ? parts : [];
}

type Turn = { readonly role: unknown; readonly parts: Part[] };

/** Consecutive contents of one role count as one. */
function merged(contents: readonly Content[]): Turn[] {
  const turns: Turn[] = [];
  for (const content of contents) {
    const last = turns.at(-1);
    if (last && last.role === content.role) last.parts.push(...partsOf(content));
    else turns.push({ role: content.role, parts: [...partsOf(content)] });
  }
  return turns;
}

function contentComplaints(content: Content, n: number, { isSigned = () => true }: GeminiRules): string[] {
  const at = `GenerateContentRequest.contents[${n}]`;
  if (content.role !== 'user' && content.role !== 'model') return ['Please use a valid role: user, model.'];
  const parts = partsOf(content);
  if (parts.length === 0) return [`* ${at}.parts: contents.parts must not be empty.`];
  return parts.flatMap((part, place) => {
    const where = `${at}.parts[${place}]`;
    const kinds = DATA.filter((kind) => part[kind] !== undefined);
    if (kinds.length !== 1)
      return [`* ${where}.data: required oneof field 'data' must have one initialized field`];
    const signature = part.thoughtSignature;
    if (signature !== undefined && signature !== NO_SIGNATURE && !isSigned(String(signature))) {
      return ['Corrupted thought signature.'];
    }
    return partComplaints(part, content.role as string, where);
  });
}

function partComplaints(part: Part, role: string, at: string): string[] {
  const { text, thoughtSignature, functionCall, functionResponse, inlineData, fileData } = part;
  if (functionCall) {
    if (role !== 'model') return [`${at}: a function call has to be in a model turn`];
    const isWhole = NAME.test(String(functionCall.name)) && isObject(functionCall.args ?? {});
    return isWhole ? [] : [`Invalid value at '${at}.function_call'`];
  }
  if (functionResponse) {
    if (role !== 'user') return [`${at}: a function response has to be in a user turn`];
    const isWhole = NAME.test(String(functionResponse.name)) && isObject(functionResponse.response);
    return isWhole ? [] : [`Invalid value at '${at}.function_response.response' (Struct)`];
  }
  if (inlineData) {
    const isWhole = /^[\w.+-]+\/[\w.+-]+/.test(String(inlineData.mimeType)) && Boolean(inlineData.data);
    return isWhole ? [] : [`* ${at}.inline_data: must have a mime type and data`];
  }
  if (fileData) return typeof fileData.fileUri === 'string' ? [] : [`* ${at}.file_data: Field required`];
  const isSaid = typeof text === 'string' && (text !== '' || thoughtSignature !== undefined);
  return isSaid ? [] : ['Unable to submit request because it has an empty text parameter.'];
}

function callsOf(turn: Turn | undefined): string[] {
  return (turn?.parts ?? []).flatMap(({ functionCall }) => (functionCall ? [String(functionCall.name)] : []));
}

function responsesOf(turn: Turn | undefined): string[] {
  return (turn?.parts ?? []).flatMap(({ functionResponse }) =>
    functionResponse ? [String(functionResponse.name)] : [],
  );
}

function orderComplaints(turns: readonly Turn[]): string[] {
  const complaints: string[] = [];
  if (turns.at(-1)?.role !== 'user') {
    complaints.push('Please ensure that multiturn requests end with a user role or a function response.');
  }
  if (turns[0]?.role !== 'user')
    complaints.push('Please ensure that the conversation begins with a user turn.');
  for (const [n, turn] of turns.entries()) {
    const calls = callsOf(turn);
    const responses = responsesOf(turn);
    const [before, after] = [turns[n - 1], turns[n + 1]];
    if (calls.length > 0 && before?.role !== 'user') {
      complaints.push(
        'Please ensure that function call turn comes immediately after a user turn or after a function response turn.',
      );
    }
    if (responses.length > 0 && callsOf(before).length === 0) {
      complaints.push(
        'Please ensure that function response turn comes immediately after a function call turn.',
      );
    }
    if (calls.length > 0 && calls.toSorted().join() !== responsesOf(after).toSorted().join()) {
      complaints.push(
        'Please ensure that the number of function response parts is equal to the number of function call parts of the ' +
          `function call turn. (contents[${n}]: ${calls.join()})`,
      );
    }
  }
  return complaints;
}

/** The current turn begins after the last thing that a person said. */
function signatureComplaints(turns: readonly Turn[]): string[] {
  const start = turns.findLastIndex(
    ({ role, parts }) => role === 'user' && parts.some(({ functionResponse }) => !functionResponse),
  );
  return turns.slice(start + 1).flatMap(({ parts }) => {
    const first = parts.find(({ functionCall }) => functionCall !== undefined);
    if (!first || first.thoughtSignature !== undefined) return [];
    return [
      'Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly. ' +
        `(function call \`${first.functionCall?.name}\`)`,
    ];
  });
}

function toolComplaints(tools: unknown): string[] {
  if (!Array.isArray(tools)) return [];
  const names = tools.flatMap(({ functionDeclarations = [] }) =>
    functionDeclarations.map(({ name }: { name: unknown }) => String(name)),
  );
  return [
    ...(new Set(names).size === names.length ? [] : ['Duplicate function declaration found']),
    ...names.flatMap((name) => (NAME.test(name) ? [] : [`Invalid function name: ${name}.`])),
  ];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
