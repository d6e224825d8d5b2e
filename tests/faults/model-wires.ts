/** The providers that a server may talk to, by the wire that they speak: what configures each, and a server of it. */
import { startAnthropicServer } from '../helpers/anthropic-server.ts';
import { startGeminiServer } from '../helpers/gemini-server.ts';
import { type ModelServer, startModelServer } from '../helpers/model-server.ts';

/** What tests of every wire use of its server. */
export type AnyModelServer = Pick<
  ModelServer,
  'script' | 'gate' | 'received' | 'requests' | 'refusals' | 'origin' | 'baseUrl' | 'close'
>;

export interface ModelWire {
  readonly start: () => Promise<AnyModelServer>;
  readonly model: string;
  /** @param origin Where the server, or a proxy before it, is reached. */
  readonly env: (origin: string, key: string) => Record<string, string>;
}

export const MODEL_WIRES = {
  'openai-compatible': {
    start: startModelServer,
    model: 'openai-compatible:x',
    env: (origin, key) => ({ OPENAI_BASE_URL: `${origin}/v1`, OPENAI_API_KEY: key }),
  },
  openai: {
    start: startModelServer,
    model: 'openai:x',
    env: (origin, key) => ({ OPENAI_BASE_URL: `${origin}/v1`, OPENAI_API_KEY: key }),
  },
  anthropic: {
    start: async () => (await startAnthropicServer()) as unknown as AnyModelServer,
    model: 'anthropic:x',
    env: (origin, key) => ({ ANTHROPIC_BASE_URL: origin, ANTHROPIC_API_KEY: key }),
  },
  google: {
    start: async () => (await startGeminiServer()) as unknown as AnyModelServer,
    model: 'google:x',
    env: (origin, key) => ({
      GOOGLE_GENERATIVE_AI_BASE_URL: `${origin}/v1beta`,
      GOOGLE_GENERATIVE_AI_API_KEY: key,
    }),
  },
} as const satisfies Record<string, ModelWire>;

export type ModelWireName = keyof typeof MODEL_WIRES;
export const MODEL_WIRE_NAMES = Object.keys(MODEL_WIRES) as readonly ModelWireName[];
