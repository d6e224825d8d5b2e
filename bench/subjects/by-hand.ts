/** Control (c): what people write by hand. Fastify, `ws`, the AI SDK's `streamText`, one frame a delta; no storage, no resume. */
import type { AddressInfo } from 'node:net';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText } from 'ai';
import { fastify } from 'fastify';
import { WebSocketServer } from 'ws';

const provider = createOpenAICompatible({ name: 'bench', baseURL: process.env.BENCH_MODEL_URL ?? '' });
const app = fastify();
app.get('/health', async () => ({ status: 'healthy' }));
app.post('/empty', async () => ({ status: 'success' }));
app.get('/static/:bytes', (request, reply) => {
  const { bytes } = request.params as { readonly bytes: string };
  return reply.type('application/json').send(staticAnswer(Number(bytes)));
});
const answers = new Map<number, string>();
const sockets = new WebSocketServer({ noServer: true });
app.server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (client) => {
    const answer = async (data: unknown) => {
      const { prompt } = JSON.parse(String(data)) as { prompt: string };
      const { textStream } = streamText({ model: provider('bench'), prompt });
      for await (const text of textStream) client.send(JSON.stringify({ type: 'delta', text }));
      client.send(JSON.stringify({ type: 'end' }));
    };
    client.on('message', (data) => void answer(data));
  });
});
await app.listen({ port: 0, host: '127.0.0.1' });
process.send?.({ url: `ws://127.0.0.1:${(app.server.address() as AddressInfo).port}` });
process.on('SIGTERM', () => process.exit(0));

/** JSON of so many bytes, made once. */
function staticAnswer(bytes: number): string {
  const answer = answers.get(bytes) ?? JSON.stringify('x'.repeat(bytes - 2));
  answers.set(bytes, answer);
  return answer;
}
