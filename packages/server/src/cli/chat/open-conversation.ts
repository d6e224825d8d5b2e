import type { LlmgineClient } from '@llmgine/client';
import type { JsonObject } from '@llmgine/protocol';
import { ConfigError } from '../../config.ts';

/** What is to be linked; what is absent stays as it is. */
export interface LinkOptions {
  readonly engine: string | undefined;
  readonly model: string | undefined;
  readonly config: JsonObject | undefined;
}

export interface Conversation {
  readonly sessionId: string;
  readonly engineType: string;
  /** It was there before. */
  readonly resumed: boolean;
}

/** A conversation, the server it is on, and who is speaking. */
export interface Talk {
  readonly client: LlmgineClient;
  readonly url: string;
  readonly conversation: Conversation;
}

const USUAL_ENGINE = 'ToolChatEngine';

/** Throws `ConfigError`. */
export function readLinkOptions(options: {
  readonly engine?: string;
  readonly model?: string;
  readonly config?: string;
}): LinkOptions {
  const { engine, model, config } = options;
  return { engine, model, config: config === undefined ? undefined : readConfig(config) };
}

/** An object, as somebody types it. Throws `ConfigError`. */
export function readConfig(text: string): JsonObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`the configuration of the engine is not JSON: ${(error as Error).message}`);
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as JsonObject;
  throw new ConfigError('the configuration of the engine must be a JSON object, such as {"model": "demo"}');
}

/** Goes on with a session, or makes one. An engine is linked then. Rejects with `LlmgineError`. */
export async function openConversation(
  client: LlmgineClient,
  session: string | undefined,
  link: LinkOptions,
): Promise<Conversation> {
  if (session === undefined) return newConversation(client, link);
  const { linked_engine: linked } = await client.sessions.get(session);
  const current = linked === null ? null : await client.sessions.engine(session);
  const { engine, model, config } = link;
  if (current && engine === undefined && model === undefined && config === undefined) {
    return { sessionId: session, engineType: current.engine_type, resumed: true };
  }
  const type = engine ?? current?.engine_type ?? (await usualEngine(client));
  const before = current?.engine_type === type ? current.engine_config : {};
  await client.sessions.link(session, type, { ...before, ...configOf(link) });
  return { sessionId: session, engineType: type, resumed: true };
}

export async function newConversation(client: LlmgineClient, link: LinkOptions): Promise<Conversation> {
  const type = link.engine ?? (await usualEngine(client));
  const { session_id: sessionId } = await client.sessions.create({
    engine_type: type,
    engine_config: configOf(link),
  });
  return { sessionId, engineType: type, resumed: false };
}

/** The one that the server is made for, else the one that chats. */
async function usualEngine(client: LlmgineClient): Promise<string> {
  const { engine_name: name, engine_types: types } = await client.info();
  const wanted = [name, USUAL_ENGINE].find((type) => type !== null && types.includes(type));
  return wanted ?? types[0] ?? USUAL_ENGINE;
}

function configOf({ model, config = {} }: LinkOptions): JsonObject {
  return { ...config, ...(model === undefined ? {} : { model }) };
}
