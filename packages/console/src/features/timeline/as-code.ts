/** What one does by hand to see, or to do, what the timeline shows. */
import type { JsonObject, SessionEvent } from '../../lib/protocol.ts';

export interface Place {
  readonly origin: string;
  readonly sessionId: string;
  /** Whether the server wants a key. */
  readonly needsKey: boolean;
}

interface Frame {
  readonly type?: unknown;
  readonly data?: JsonObject;
}

/** Goes on reading the log after this event. */
export function eventAsCurl(place: Place, event: SessionEvent): string {
  const url = `${place.origin}/api/sessions/${place.sessionId}/events?after=${encodeURIComponent(event.cursor)}`;
  return curl(place, ['-N', "-H 'Accept: text/event-stream'", quote(url)]);
}

export function eventAsCode(place: Place, event: SessionEvent): string {
  return code(place, [
    `session.on('${event.event_type}', (event) => console.log(event.payload));`,
    'await session.connect();',
  ]);
}

/** Null where REST has no such call. */
export function frameAsCurl(place: Place, { type, data = {} }: Frame): string | null {
  const session = `${place.origin}/api/sessions/${place.sessionId}`;
  switch (type) {
    case 'command':
      return send(place, 'POST', `${session}/commands`, data, ["-H 'Prefer: respond-async'"]);
    case 'link_engine':
      return send(place, 'PUT', `${session}/engine`, data);
    case 'server_response': {
      const { request_id: id, ...answer } = data;
      return send(place, 'POST', `${session}/requests/${String(id)}`, answer);
    }
    case 'cancel':
      return curl(place, ['-X POST', quote(`${session}/runs/${String(data.run_id)}/cancel`)]);
    case 'history':
      return curl(place, [quote(`${session}/messages`)]);
    case 'event':
      return send(place, 'POST', `${session}/events`, data);
    default:
      return null;
  }
}

export function frameAsCode(place: Place, { type, data = {} }: Frame): string {
  return code(place, [callOf(type, data)]);
}

function callOf(type: unknown, data: JsonObject): string {
  switch (type) {
    case 'command':
      return `const run = session.command(${json(data.command)}, ${json(data.parameters ?? {})});\nconsole.log(await run.result);`;
    case 'server_response': {
      const { request_id: id, ...answer } = data;
      return `await session.answer(${json(id)}, ${json(answer)});`;
    }
    case 'cancel':
      return `await session.cancel(${data.run_id === undefined ? '' : json(data.run_id)});`;
    case 'history':
      return `console.log(await session.history(${json(data)}));`;
    default:
      return `console.log(await session.send(${json(type)}, ${json(data)}));`;
  }
}

function code({ origin, sessionId, needsKey }: Place, lines: readonly string[]): string {
  const token = needsKey ? ', token: process.env.LLMGINE_KEY' : '';
  return [
    "import { LlmgineClient } from '@llmgine/client';",
    '',
    `const client = new LlmgineClient({ url: '${origin}'${token} });`,
    `const session = client.session('${sessionId}');`,
    ...lines,
    '',
  ].join('\n');
}

function send(
  place: Place,
  method: string,
  url: string,
  body: JsonObject,
  more: readonly string[] = [],
): string {
  return curl(place, [
    `-X ${method}`,
    quote(url),
    "-H 'Content-Type: application/json'",
    ...more,
    `-d ${quote(JSON.stringify(body))}`,
  ]);
}

function curl({ needsKey }: Place, parts: readonly string[]): string {
  const key = needsKey ? ['-H "Authorization: Bearer $LLMGINE_KEY"'] : [];
  return ['curl', ...key, ...parts].join(' \\\n  ');
}

/** For a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function json(value: unknown): string {
  return JSON.stringify(value) ?? 'undefined';
}
