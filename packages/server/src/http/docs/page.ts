/** The reference page: REST by Swagger UI, the WebSocket protocol from its AsyncAPI document, the tables of codes. */
import { CLOSE_CODE_MEANINGS, type EngineTypeInfo, ERRORS } from '@llmgine/protocol';
import type { JsonSchema } from '../json-schema.ts';
import { engineSection } from './engines.ts';
import { type Html, html, prose } from './html.ts';
import { sampleOf } from './sample.ts';
import { schemaAnchor, schemaTable } from './schema-table.ts';

/** The parts of the documents that the page shows. */
export interface OpenApiView {
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly summary?: string }>>>>;
}
export interface AsyncApiView {
  readonly info: { readonly description: string };
  readonly channels: { readonly session: { readonly address: string } };
  readonly operations: Readonly<Record<string, AsyncApiOperation>>;
  readonly components: {
    readonly messages: Readonly<Record<string, AsyncApiMessage>>;
    readonly schemas: Readonly<Record<string, JsonSchema>>;
  };
}
interface AsyncApiOperation {
  readonly action: string;
  readonly messages: readonly { readonly $ref: string }[];
  readonly reply?: { readonly messages: readonly { readonly $ref: string }[] };
}
interface AsyncApiMessage {
  readonly name: string;
  readonly summary?: string;
  readonly payload: JsonSchema & {
    readonly required: readonly string[];
    readonly properties: { readonly data: JsonSchema };
  };
}

const EVENT_PREFIX = 'event.';

export function renderReference(
  openapi: OpenApiView,
  asyncapi: AsyncApiView,
  engines: readonly EngineTypeInfo[],
): string {
  const { title, version } = openapi.info;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}: reference</title>
<link rel="stylesheet" href="/docs/swagger/static/swagger-ui.css">
<link rel="stylesheet" href="/docs/reference.css">
</head>
<body>
<header>
<h1>${title} <small>${version}</small></h1>
<nav><a href="#rest">REST</a> <a href="#websocket">WebSocket</a> <a href="#engines">Engines</a> <a href="#events">Events</a> <a href="#schemas">Shared shapes</a> <a href="#errors">Errors</a> <a href="#close-codes">Close codes</a></nav>
<p>For programs: <a href="/openapi.json">OpenAPI</a>, <a href="/asyncapi.json">AsyncAPI</a></p>
</header>
<main>
<section><h2 id="rest">REST</h2><div id="swagger-ui">${restTable(openapi)}</div></section>
<section><h2 id="websocket">WebSocket</h2>${webSocket(asyncapi)}</section>
<section><h2 id="engines">Engines and their commands</h2>${engineSection(engines)}</section>
<section><h2 id="events">Events</h2>${events(asyncapi)}</section>
<section><h2 id="schemas">Shared shapes</h2>${sharedSchemas(asyncapi)}</section>
<section><h2 id="errors">Errors</h2>${errors()}</section>
<section><h2 id="close-codes">Close codes</h2>${closeCodes()}</section>
</main>
<script src="/docs/swagger/static/swagger-ui-bundle.js"></script>
<script src="/docs/reference.js"></script>
</body>
</html>
`.text;
}

/** What is there before, or without, Swagger UI. */
function restTable({ paths }: OpenApiView): Html {
  const rows = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(
      ([method, { summary }]) =>
        html`<tr><td><code>${method.toUpperCase()}</code></td><td><code>${path}</code></td><td>${summary ?? ''}</td></tr>`,
    ),
  );
  return html`<table><tbody>${rows}</tbody></table>`;
}

function webSocket({ info, channels, operations, components }: AsyncApiView): Html {
  const { schemas } = components;
  const received = Object.values(operations).filter(({ action }) => action === 'receive');
  const requests = new Set(received.map(({ messages }) => keyOf(messages[0])));
  const blocks = received.map(({ messages, reply }) => {
    const key = keyOf(messages[0]);
    const replies = (reply?.messages ?? []).map(keyOf).filter((name) => name !== 'error');
    const links = replies.flatMap((name, i) => [
      i > 0 ? ', then ' : '',
      frameLink(name, components.messages[name]),
    ]);
    return frame(
      key,
      components.messages[key],
      schemas,
      replies.length > 0 ? html`<p>Answered by ${links}.</p>` : html``,
    );
  });
  const sent = Object.entries(components.messages)
    .filter(([key]) => !requests.has(key))
    .map(([key, message]) => frame(key, message, schemas, html``));
  const paragraphs = info.description.split('\n\n').map((text) => html`<p>${prose(text)}</p>`);
  const address = html`<p>Connect to <code id="ws-address">ws://HOST${channels.session.address}</code>; the session comes from <code>POST /api/sessions</code>.</p>`;
  return html`${address}${paragraphs}<h3>Sent by clients</h3>${blocks}<h3>Sent by the server</h3>${sent}`;
}

function keyOf(reference: { readonly $ref: string } | undefined): string {
  return reference?.$ref.split('/').at(-1) ?? '';
}

function frameLink(key: string, message: AsyncApiMessage | undefined): Html {
  return html`<a href="#frame-${key}"><code>${message?.name ?? key}</code></a>`;
}

function frame(
  key: string,
  message: AsyncApiMessage | undefined,
  schemas: Readonly<Record<string, JsonSchema>>,
  after: Html,
): Html {
  if (!message) return html``;
  const { name, summary, payload } = message;
  const { data } = payload.properties;
  const content = key === 'event' ? html`<p>One of the <a href="#events">events</a>.</p>` : schemaTable(data);
  // In the order in which people write a frame.
  const { type, message_id, data: value, ...rest } = sampleOf(payload, schemas) as Record<string, unknown>;
  const sample = html`<pre>${JSON.stringify({ type, message_id, ...rest, data: value })}</pre>`;
  const commands =
    key === 'command' ? html`<p>Which commands there are: <a href="#engines">Engines</a>.</p>` : html``;
  return html`<article id="frame-${key}"><h4><code>${name}</code></h4>${summary ? html`<p>${prose(summary)}</p>` : ''}${sample}${content}${commands}${after}</article>`;
}

function events({ components }: AsyncApiView): Html {
  const variants = (components.messages.event?.payload.properties.data.anyOf ?? []) as { $ref: string }[];
  const blocks = variants.map((variant) => {
    const id = keyOf(variant);
    const [, own] = (components.schemas[id]?.allOf ?? []) as [JsonSchema, JsonSchema];
    const { event_type, payload } = own.properties as Record<string, JsonSchema | undefined>;
    const content = payload ? schemaTable(payload) : html`<p>Whatever its publisher sent.</p>`;
    return html`<article id="${id}"><h4><code>${String(event_type?.const ?? 'custom:NAME')}</code></h4>${content}</article>`;
  });
  return html`<p>Each entry of the log of a session is an <a href="#${schemaAnchor('Event')}">Event</a>; below is its payload, by event type.</p>${blocks}`;
}

function sharedSchemas({ components }: AsyncApiView): Html {
  const blocks = Object.entries(components.schemas)
    .filter(([id]) => !id.startsWith(EVENT_PREFIX))
    .map(([id, schema]) => {
      const description =
        typeof schema.description === 'string' ? html`<p>${prose(schema.description)}</p>` : '';
      const choices = (schema.oneOf ?? schema.anyOf) as JsonSchema[] | undefined;
      const tables = choices ? choices.map(schemaTable) : [schemaTable(schema)];
      return html`<article id="${schemaAnchor(id)}"><h4>${id}</h4>${description}${tables}</article>`;
    });
  return html`${blocks}`;
}

function errors(): Html {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, closeCode, retryable, message }]) =>
      html`<tr id="${code}"><td><code>${code}</code></td><td>${status ?? ''}</td><td>${closeCode ?? ''}</td><td>${retryable ? 'yes' : 'no'}</td><td>${message}</td></tr>`,
  );
  return html`<p>Over REST an error is a problem (RFC 9457) whose <code>type</code> points here; on WebSocket it is an <code>error</code> frame. A code without a status occurs on WebSocket or in the result of a run only.</p>
<table><thead><tr><th>code</th><th>HTTP status</th><th>closes with</th><th>retry can help</th><th>meaning</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function closeCodes(): Html {
  const rows = Object.entries(CLOSE_CODE_MEANINGS).map(
    ([code, { text, reconnect }]) =>
      html`<tr id="close-${code}"><td><code>${code}</code></td><td>${text}</td><td>${reconnect ? 'yes' : 'no'}</td></tr>`,
  );
  return html`<table><thead><tr><th>code</th><th>meaning</th><th>connect again</th></tr></thead><tbody>${rows}</tbody></table>`;
}
