/** A client of a session: sends a message, resolves with the frame that answers it. */
export interface Client {
  request(type: string, data: object): Promise<Frame>;
  close(): void;
}

export interface Frame {
  readonly type: string;
  readonly message_id?: number;
  readonly data: Record<string, unknown>;
}

export async function createSession(url: string, body: object = {}): Promise<string> {
  const response = await fetch(`${url}/api/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return ((await response.json()) as { session_id: string }).session_id;
}

/** Uses the WebSocket that browsers and Node have built in. */
export async function connect(url: string, sessionId: string): Promise<Client> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/sessions/${sessionId}/ws`);
  const waiting = new Map<number, PromiseWithResolvers<Frame>>();
  let last = 0;
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(String(data)) as Frame;
    waiting.get(frame.message_id ?? 0)?.resolve(frame);
  };
  socket.onclose = ({ code }) => {
    for (const { reject } of waiting.values()) reject(new Error(`closed with ${code}`));
  };
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return {
    request: (type, data) => {
      const answer = Promise.withResolvers<Frame>();
      waiting.set(++last, answer);
      socket.send(JSON.stringify({ type, message_id: last, data }));
      return answer.promise;
    },
    close: () => socket.close(),
  };
}
