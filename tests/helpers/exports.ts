import type { Answer } from './rest.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into lines of every type.
export type Line = any;

export interface ExportAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly lines: Line[];
}

export async function exportSession(
  url: string,
  id: string,
  headers: Record<string, string> = {},
): Promise<ExportAnswer> {
  const response = await fetch(`${url}/api/sessions/${id}/export`, { headers });
  const text = await response.text();
  const lines = response.ok
    ? text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Line)
    : [];
  return { status: response.status, headers: response.headers, text, lines };
}

export function toText(lines: readonly unknown[]): string {
  return lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
}

export async function importSession(
  url: string,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${url}/api/sessions/import`, {
    method: 'POST',
    headers: { 'content-type': 'application/jsonl', ...headers },
    body,
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** The lines of a session that nobody has exported, with so many messages. */
export function madeUp(messages: number, session: object = {}): Line[] {
  return [
    { type: 'session', version: 1, name: null, metadata: {}, engine: null, ...session },
    ...Array.from({ length: messages }, (_, index) => ({
      type: 'message',
      message_id: `m${index}`,
      role: index % 2 === 0 ? 'user' : 'assistant',
      run_id: `run-${Math.floor(index / 2)}`,
      parts: [{ type: 'text', text: `text ${index}` }],
      created_at: '2026-01-01T12:00:00.000Z',
      metadata: {},
    })),
    { type: 'end', messages, events: 0 },
  ];
}
