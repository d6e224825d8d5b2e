/** A session with tools on a server that can be killed, behind networks that can be cut. */
import { join } from 'node:path';
import { tempDir } from '../helpers/app.ts';
import { startTestModels } from '../helpers/model-app.ts';
import { call } from '../helpers/rest.ts';
import { FaultyServer } from './child.ts';
import { EXECUTIONS_FILE, TOOL_DELAY } from './executions.ts';
import type { History } from './history.ts';
import type { Random } from './random.ts';
import { startProxy, type TcpProxy } from './tcp-proxy.ts';
import { toolConversation } from './tool-conversation.ts';

/** Of the models: a run takes long enough to be hit. */
const SPEED = { slice: 100, bytesPerSecond: 90_000 };
const TOOLS = ['count', 'count_idempotent', 'count_approved', 'count_client'];

export interface FaultySession {
  readonly server: FaultyServer;
  /** Between the clients and the server. */
  readonly network: TcpProxy;
  readonly session: string;
  /** Where what the tools did is written down. */
  readonly executions: string;
}

export interface FaultySessionOptions {
  readonly history: History;
  readonly random: Random;
  /** Of the server: where its data is. */
  readonly env: Record<string, string>;
  readonly distance: { readonly latencyMs: number; readonly jitterMs: number };
}

export async function startFaultySession(options: FaultySessionOptions): Promise<FaultySession> {
  const { history, random, env, distance } = options;
  const models = await startTestModels();
  models.respond = toolConversation;
  const { hostname, port } = new URL(models.baseUrl);
  const proxy = await startProxy({ host: hostname, port: Number(port) }, random.fork());
  proxy.set(SPEED, 'toClient');
  const executions = join(await tempDir(), 'executions.jsonl');
  const server = await FaultyServer.start({
    ...env,
    LLMGINE_API_MODEL: 'openai-compatible:x',
    OPENAI_BASE_URL: `${proxy.url()}/v1`,
    [EXECUTIONS_FILE]: executions,
    [TOOL_DELAY]: '20',
  });
  const body = { engine_type: 'ToolChatEngine', engine_config: { tools: TOOLS } };
  const made = history.invoke({ kind: 'create_session', client: 'test', session: null, id: 'session', body });
  const session = (await call('POST', `${server.url}/api/sessions`, body)).body.session_id as string;
  made.ok({ session_id: session });
  const network = await startProxy({ host: '127.0.0.1', port: server.port }, random.fork());
  network.set(distance);
  return { server, network, session, executions };
}
