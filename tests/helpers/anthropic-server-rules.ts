/** What Anthropic refuses of a Messages request, in its words. */
interface Block {
  readonly type?: unknown;
  readonly text?: unknown;
  readonly thinking?: unknown;
  readonly signature?: unknown;
  readonly data?: unknown;
  readonly id?: unknown;
  readonly name?: unknown;
  readonly input?: unknown;
  readonly tool_use_id?: unknown;
  readonly source?: Readonly<Record<string, unknown>>;
}

interface Turn {
  readonly role?: unknown;
  readonly content?: unknown;
}

/** Tells whether this reasoning was signed with this signature, or whether this is redacted reasoning of the provider. */
export type IsSigned = (thinking: string, signature: string) => boolean;

const ID = /^[a-zA-Z0-9_-]+$/;
const NAME = /^[a-zA-Z0-9_-]{1,128}$/;
const FILES = ['image', 'document'];

/**
 * The complaints about the body of a request; empty when it is accepted.
 *
 * @param isSigned Default: every signature is right.
 */
export function validateAnthropic(body: unknown, isSigned: IsSigned = () => true): string[] {
  const request = (body ?? {}) as Record<string, unknown>;
  const { model, messages, max_tokens, tools } = request;
  const complaints: string[] = [];
  if (typeof model !== 'string' || model === '') complaints.push('model: Field required');
  if (!Number.isInteger(max_tokens) || (max_tokens as number) < 1)
    complaints.push('max_tokens: Field required');
  complaints.push(
    ...thinkingComplaints(request),
    ...toolComplaints(tools),
    ...systemComplaints(request.system),
  );
  if (!Array.isArray(messages)) return [...complaints, 'messages: Field required'];
  if (messages.length === 0) return [...complaints, 'messages: at least one message is required'];
  if (messages[0].role !== 'user') complaints.push('messages: first message must use the "user" role');
  const turns = merged(messages);
  complaints.push(...messages.flatMap((turn, n) => turnComplaints(turn, `messages.${n}`, isSigned)));
  complaints.push(...pairComplaints(turns), ...loopComplaints(turns, request.thinking));
  const used = turns.some(({ blocks }) =>
    blocks.some(({ type }) => type === 'tool_use' || type === 'tool_result'),
  );
  if (used && !(Array.isArray(tools) && tools.length > 0)) {
    complaints.push('Requests which include `tool_use` or `tool_result` blocks must define tools');
  }
  return complaints;
}

/** Consecutive messages of one role count as one. */
function merged(messages: readonly Turn[]): { readonly role: unknown; readonly blocks: Block[] }[] {
  const turns: { readonly role: unknown; readonly blocks: Block[] }[] = [];
  for (const { role, content } of messages) {
    const last = turns.at(-1);
    if (last?.role === role) last?.blocks.push(...blocksOf(content));
    else turns.push({ role, blocks: [...blocksOf(content)] });
  }
  return turns;
}

function blocksOf(content: unknown): readonly Block[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return Array.isArray(content) ? content : [];
}

function turnComplaints({ role, content }: Turn, at: string, isSigned: IsSigned): string[] {
  if (role !== 'user' && role !== 'assistant') {
    return [`${at}: Unexpected role "${role}". Allowed roles are "user" or "assistant".`];
  }
  const blocks = blocksOf(content);
  if (blocks.length === 0) return [`${at}: all messages must have non-empty content`];
  const complaints = blocks.flatMap((block, n) =>
    blockComplaints(block, role, `${at}.content.${n}`, isSigned),
  );
  if (/thinking/.test(String(blocks.at(-1)?.type))) {
    complaints.push(`${at}: The final block in an assistant message cannot be \`thinking\`.`);
  }
  return complaints;
}

function blockComplaints(block: Block, role: string, at: string, isSigned: IsSigned): string[] {
  const { type } = block;
  if (type === 'text') {
    if (typeof block.text !== 'string' || block.text === '') {
      return [`messages: text content blocks must be non-empty (${at})`];
    }
    return /\S/.test(block.text)
      ? []
      : [`messages: text content blocks must contain non-whitespace text (${at})`];
  }
  if (role === 'user') {
    if (type === 'tool_result') return [];
    if (!FILES.includes(type as string))
      return [`${at}: Input tag '${type}' is not one of the expected tags`];
    return sourceComplaints(block, at);
  }
  if (type === 'tool_use') return callComplaints(block, at);
  if (type === 'redacted_thinking') {
    return isSigned('', String(block.data)) ? [] : [`${at}: Invalid \`data\` in \`redacted_thinking\` block`];
  }
  if (type !== 'thinking') return [`${at}: Input tag '${type}' is not one of the expected tags`];
  if (typeof block.thinking !== 'string') return [`${at}.thinking.thinking: Field required`];
  if (typeof block.signature !== 'string') return [`${at}.thinking.signature: Field required`];
  return isSigned(block.thinking, block.signature)
    ? []
    : [`${at}: Invalid \`signature\` in \`thinking\` block`];
}

function callComplaints({ id, name, input }: Block, at: string): string[] {
  return [
    ...(ID.test(String(id)) ? [] : [`${at}.tool_use.id: String should match pattern '${ID.source}'`]),
    ...(NAME.test(String(name)) ? [] : [`${at}.tool_use.name: String should match pattern '${NAME.source}'`]),
    ...(isObject(input) ? [] : [`${at}.tool_use.input: Input should be an object`]),
  ];
}

function sourceComplaints({ type, source = {} }: Block, at: string): string[] {
  const isThere =
    (source.type === 'base64' && typeof source.data === 'string' && source.data !== '') ||
    (source.type === 'text' && typeof source.data === 'string') ||
    (source.type === 'url' && /^https?:\/\/./.test(String(source.url)));
  return isThere ? [] : [`${at}.${type}.source: Field required`];
}

/** Each call is answered at the beginning of the very next message, and nothing else is answered. */
function pairComplaints(turns: ReturnType<typeof merged>): string[] {
  const complaints: string[] = [];
  const seen = new Set<unknown>();
  for (const [n, { blocks }] of turns.entries()) {
    const asked = callIds(turns[n - 1]?.blocks ?? []);
    for (const [place, { type, id, tool_use_id }] of blocks.entries()) {
      const at = `messages.${n}.content.${place}`;
      if (type === 'tool_use') {
        if (seen.has(id)) complaints.push(`${at}: \`tool_use\` ids must be unique`);
        seen.add(id);
      }
      if (type === 'tool_result' && !asked.includes(tool_use_id)) {
        complaints.push(
          `${at}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${tool_use_id}. ` +
            'Each `tool_result` block must have a corresponding `tool_use` block in the previous message.',
        );
      }
    }
    const results = turns[n + 1]?.blocks ?? [];
    const leading = results.slice(0, Math.max(firstOther(results), 0)).map(({ tool_use_id }) => tool_use_id);
    const missing = callIds(blocks).filter((id) => !leading.includes(id));
    if (missing.length > 0) {
      complaints.push(
        `messages.${n}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(', ')}. ` +
          'Each `tool_use` block must have a corresponding `tool_result` block in the next message.',
      );
    }
    if (new Set(leading).size < leading.length) {
      complaints.push(
        `messages.${n + 1}: each tool_use must have a single result. Found multiple \`tool_result\` blocks`,
      );
    }
  }
  return complaints;
}

function callIds(blocks: readonly Block[]): unknown[] {
  return blocks.filter(({ type }) => type === 'tool_use').map(({ id }) => id);
}

function firstOther(blocks: readonly Block[]): number {
  const at = blocks.findIndex(({ type }) => type !== 'tool_result');
  return at === -1 ? blocks.length : at;
}

/** With thinking, an assistant message whose tools have just been answered has to begin with it. */
function loopComplaints(turns: ReturnType<typeof merged>, thinking: unknown): string[] {
  const isOn = isObject(thinking) && thinking.type === 'enabled';
  const [assistant, last] = turns.slice(-2);
  if (!isOn || assistant?.role !== 'assistant' || last?.blocks[0]?.type !== 'tool_result') return [];
  const type = assistant.blocks[0]?.type;
  if (type === 'thinking' || type === 'redacted_thinking') return [];
  return [
    `messages.${turns.length - 2}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${type}\`. ` +
      'When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost ' +
      'set of `tool_use` and `tool_result` blocks).',
  ];
}

function thinkingComplaints({ thinking, temperature, max_tokens, tool_choice }: Record<string, unknown>) {
  if (!isObject(thinking) || thinking.type !== 'enabled') return [];
  const budget = Number(thinking.budget_tokens);
  const forced = isObject(tool_choice) && (tool_choice.type === 'any' || tool_choice.type === 'tool');
  return [
    ...(budget >= 1024
      ? []
      : ['thinking.enabled.budget_tokens: Input should be greater than or equal to 1024']),
    ...(budget < Number(max_tokens) ? [] : ['`max_tokens` must be greater than `thinking.budget_tokens`']),
    ...(temperature === undefined || temperature === 1
      ? []
      : ['`temperature` may only be set to 1 when thinking is enabled']),
    ...(forced ? ['Thinking may not be enabled when tool_choice forces tool use.'] : []),
  ];
}

function toolComplaints(tools: unknown): string[] {
  if (tools === undefined) return [];
  if (!Array.isArray(tools)) return ['tools: Input should be a valid list'];
  const names = tools.map(({ name }) => String(name));
  return [
    ...(new Set(names).size === names.length ? [] : ['tools: Tool names must be unique.']),
    ...names.flatMap((name, n) =>
      NAME.test(name) ? [] : [`tools.${n}.custom.name: String should match pattern '${NAME.source}'`],
    ),
    ...tools.flatMap(({ input_schema }, n) =>
      input_schema?.type === 'object'
        ? []
        : [`tools.${n}.custom.input_schema.type: Input should be 'object'`],
    ),
    ...tools.flatMap(({ input_schema: { oneOf, anyOf, allOf } = {} }, n) =>
      (oneOf ?? anyOf ?? allOf)
        ? [
            `tools.${n}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level`,
          ]
        : [],
    ),
  ];
}

function systemComplaints(system: unknown): string[] {
  if (system === undefined) return [];
  const isBlank = blocksOf(system).some(({ text }) => typeof text !== 'string' || !/\S/.test(text));
  return isBlank ? ['system: text content blocks must be non-empty'] : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
