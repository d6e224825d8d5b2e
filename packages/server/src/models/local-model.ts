import type { APIConfig } from '../config.ts';
import { providerAddress } from './provider-address.ts';

const PORT = 11_434;
/** Milliseconds that a start may wait for a server on this machine; where there is none, it knows at once. */
const PROBE_TIMEOUT = 300;
const NO_CHAT = /embed|rerank|bge-|minilm/i;

/**
 * Where Ollama is, from its own variable: a host, a port, both, or a URL; `0.0.0.0` is where its server listens, so here it
 * means this machine. Throws `ConfigError`.
 */
export function ollamaOrigin(host = 'localhost'): string {
  const text = host.includes('://') ? host : `http://${host.startsWith(':') ? `localhost${host}` : host}`;
  const url = providerAddress('OLLAMA_HOST', text, 'an address such as localhost:11434', host);
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  if (url.hostname === '[::]') url.hostname = '[::1]';
  if (url.port === '' && !host.includes('://')) url.port = String(PORT);
  return (url.origin + url.pathname).replace(/\/+$/, '');
}

/** The first model for conversations that an Ollama on this machine has, as `ollama:NAME`; undefined when there is none. */
export async function findLocalModel({
  providers,
}: Pick<APIConfig, 'providers'>): Promise<string | undefined> {
  const origin = ollamaOrigin(providers.OLLAMA_HOST);
  try {
    const answer = await fetch(`${origin}/api/tags`, { signal: AbortSignal.timeout(PROBE_TIMEOUT) });
    const { models } = (await answer.json()) as { models?: readonly OllamaModel[] };
    const name = models?.find(isForChat)?.name;
    return typeof name === 'string' && name !== '' ? `ollama:${name}` : undefined;
  } catch {
    return undefined;
  }
}

interface OllamaModel {
  readonly name?: unknown;
  readonly details?: { readonly family?: unknown } | null;
}

function isForChat({ name, details }: OllamaModel): boolean {
  return !NO_CHAT.test(String(name)) && !/bert/i.test(String(details?.family));
}
