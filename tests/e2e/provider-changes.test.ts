/** Conversations that move from provider to provider: each refuses what its real one refuses. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { startAnthropicServer } from '../helpers/anthropic-server.ts';
import { startApp } from '../helpers/app.ts';
import { startGeminiServer } from '../helpers/gemini-server.ts';
import { type ModelScript, startModelServer } from '../helpers/model-server.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';
import {
  ANSWERING,
  ASKING,
  anthropicEnv,
  chatEnv,
  googleEnv,
  MODELS,
  PROVIDER_NAMES,
  type ProviderName,
} from './provider-turns.ts';

/** A server that may use all of them. */
async function start() {
  const claude = await startAnthropicServer();
  const gemini = await startGeminiServer();
  const openai = await startModelServer();
  const servers = [claude, gemini, openai] as const;
  onTestFinished(async () => {
    for (const server of servers) await server.close();
  });
  const app = await startApp({
    config: { modelRetries: 0 },
    env: { ...anthropicEnv(claude), ...googleEnv(gemini), ...chatEnv(openai) },
  });
  const of = (name: ProviderName) =>
    ({ anthropic: claude, google: gemini, openai, 'openai-compatible': openai })[name];
  return {
    ...app,
    claude,
    gemini,
    openai,
    of,
    refusals: () => servers.flatMap(({ refusals }) => refusals),
    requests: () => servers.flatMap(({ requests }) => requests as readonly unknown[]),
  };
}

const CONFIG = { reasoning_effort: 'low', max_output_tokens: 4000 };

test('what one provider wants back, no other is sent', async () => {
  const { claude, gemini, openai, url, wsUrl, createSession, refusals, requests } = await start();
  claude.respond = ({ body }) => answerTo(body.messages.at(-1));
  gemini.respond = ({ body }) => answerTo(body.contents.at(-1));
  openai.respond = ({ body }) => answerTo(body.messages.at(-1));
  const id = await createSession();

  // Each one after each other one, and each one after itself.
  const order = [0, 1, 2, 3, 0, 2, 1, 0, 0, 3, 1, 1, 3, 2, 2, 0, 3, 3];
  for (const n of order) {
    await call('PUT', `${url}/api/sessions/${id}/engine`, {
      engine_type: 'ToolChatEngine',
      engine_config: { ...CONFIG, model: MODELS[PROVIDER_NAMES[n] as ProviderName] },
    });
    const socket = await TestSocket.open(wsUrl(id));
    const result = await socket.run('prompt', { prompt: 'And again?' });
    expect(result).toMatchObject({ status: 'completed', result: { text: 'It is 42.' } });
    await socket.close();
  }

  expect(refusals()).toEqual([]);
  // Each turn has called the tools and then answered.
  expect(requests()).toHaveLength(2 * order.length);
});

function answerTo(last: unknown): ModelScript {
  return /"(?:tool|functionResponse|tool_result)"/.test(JSON.stringify(last)) ? ANSWERING : ASKING;
}

const PAIRS = PROVIDER_NAMES.flatMap((from) =>
  PROVIDER_NAMES.filter((to) => to !== from).map((to) => [from, to] as const),
);

describe('a loop of tools', () => {
  test.each(PAIRS)('that %s has begun and fails to go on with is ended by %s', async (from, to) => {
    const { of, wsUrl, createSession, refusals } = await start();
    const engine_config = { ...CONFIG, model: `${MODELS[from]}, ${MODELS[to]}` };
    const id = await createSession({ engine_type: 'ToolChatEngine', engine_config });
    const socket = await TestSocket.open(wsUrl(id));
    of(from).script(ASKING, { status: 500 });
    of(to).script(ANSWERING);

    const result = await socket.run('prompt', { prompt: 'What is 6 * 7, and what time is it?' });

    expect(refusals()).toEqual([]);
    expect(result).toMatchObject({ status: 'completed', result: { text: 'It is 42.' } });
  });
});
