/** Control (b): the floor for streaming. `fetch`, a parser of a few lines, `ws.send`, one frame a token, nothing else. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const MODEL = process.env.BENCH_MODEL_URL ?? '';
const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });

server.on('connection', (socket) => {
  const answer = async (data: unknown) => {
    const { prompt } = JSON.parse(String(data)) as { prompt: string };
    const response = await fetch(`${MODEL}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'bench', stream: true, messages: [{ role: 'user', content: prompt }] }),
    });
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      rest += decoder.decode(chunk, { stream: true });
      const lines = rest.split('\n\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === 'data: [DONE]') continue;
        const { choices } = JSON.parse(line.slice(6)) as {
          choices: readonly { readonly delta: { readonly content?: string } }[];
        };
        const text = choices[0]?.delta.content;
        if (text) socket.send(JSON.stringify({ type: 'delta', text }));
      }
    }
    socket.send(JSON.stringify({ type: 'end' }));
  };
  socket.on('message', (data) => void answer(data));
});
server.on('listening', () => {
  process.send?.({ url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.on('SIGTERM', () => process.exit(0));
