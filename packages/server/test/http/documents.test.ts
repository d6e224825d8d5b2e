import { createRequire } from 'node:module';
import { defineEngine, defineMessage, ExtensibleAPIFactory } from '@llmgine/api';
import { CLIENT_FRAMES, CLOSE_CODE_MEANINGS, ERROR_CODES, SERVER_FRAMES } from '@llmgine/protocol';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { expectProblem } from './expect-problem.ts';

// biome-ignore lint/suspicious/noExplicitAny: the documents are read the way other programs read them.
type Document = any;

const load = createRequire(import.meta.url);

async function openapi(): Promise<Document> {
  const { url } = await startApp();
  return (await call('GET', `${url}/openapi.json`)).body;
}

it('describes REST in valid OpenAPI 3.1', async () => {
  const document = await openapi();

  const result = await new Validator().validate(document);

  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  expect(document.openapi).toBe('3.1.0');
});

it('describes exactly the routes that there are', async () => {
  const { app, url } = await startApp();
  const document = (await call('GET', `${url}/openapi.json`)).body as Document;
  const http = await createHttpServer(app.services);
  onTestFinished(() => http.close());
  const described = Object.entries<object>(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );

  // Pages, and what they load, are no part of the API; the WebSocket has a document of its own.
  const undescribed = /^(\/openapi\.json|\/asyncapi\.json|\/docs.*|\/console.*|\/client\/.*|.*\/ws)$/;
  const routes = http.routeTable.filter(({ method, url }) => method !== 'HEAD' && !undescribed.test(url));

  expect(described.sort()).toEqual(
    routes.map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`).sort(),
  );
});

it('gives every operation an id of its own, a summary, a tag, and its problems', async () => {
  const document = await openapi();
  const operations = Object.values<Document>(document.paths).flatMap((path) => Object.values<Document>(path));

  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const { summary, tags, responses, security } of operations) {
    expect(summary).toBeTruthy();
    expect(document.tags.map(({ name }: Document) => name)).toContain(tags[0]);
    expect(Object.keys(responses)).toContain('500');
    if (security === undefined) expect(Object.keys(responses)).toContain('401');
    for (const [status, response] of Object.entries<Document>(responses)) {
      expect(response.description).not.toBe('Default Response');
      if (Number(status) >= 400) expect(Object.keys(response.content)).toEqual(['application/problem+json']);
    }
  }
});

it('has no schema that nothing uses', async () => {
  const document = await openapi();
  const text = JSON.stringify(document);

  for (const id of Object.keys(document.components.schemas)) {
    expect(text).toContain(`"#/components/schemas/${id}"`);
  }
});

it('names the parameters whose names or places are unusual', async () => {
  const { paths } = await openapi();
  const names = (path: string, method: string) =>
    paths[path][method].parameters.map(({ in: place, name }: Document) => `${place} ${name}`);

  expect(names('/api/sessions', 'get')).toContain('query metadata.KEY');
  expect(names('/api/sessions/{session_id}/commands', 'post')).toContain('header last-event-id');
});

it('publishes no licence in the name of whoever runs it', async () => {
  const { document } = await asyncapi();

  expect((await openapi()).info).not.toHaveProperty('license');
  expect(document.info).not.toHaveProperty('license');
});

it('has one reference page, and no other by the way', async () => {
  const { url } = await startApp();

  for (const path of ['', '/', '/json', '/yaml', '/static/index.html', '/static/swagger-initializer.js']) {
    expectProblem(await call('GET', `${url}/docs/swagger${path}`), 'NOT_FOUND');
  }
});

it('says that the body of a new session may be missing', async () => {
  const { requestBody } = (await openapi()).paths['/api/sessions'].post;

  expect(requestBody.required).toBe(false);
  expect(requestBody.content['application/json'].schema).toEqual({
    $ref: '#/components/schemas/CreateSession',
  });
});

/** An application with message types and an event of its own, one of them hostile. */
async function asyncapi(): Promise<{ url: string; document: Document }> {
  const Translate = defineMessage('translate', z.object({ text: z.string() }), {
    description: 'Says it in another `language` <script>alert(1)</script>',
  });
  const Translated = defineMessage('translated', z.object({ text: z.string(), confidence: z.number() }));
  const apiFactory = new ExtensibleAPIFactory()
    .registerMessage(Translate, ({ data }) => new Translated({ text: data.text, confidence: 1 }), {
      response: Translated,
    })
    .registerMessage(defineMessage('fire:and.forget', z.object({})), () => undefined)
    .registerEvent('custom:translated', z.object({ words: z.int() }));
  const { url } = await startApp({ apiFactory });
  return { url, document: (await call('GET', `${url}/asyncapi.json`)).body };
}

it('describes the WebSocket in valid AsyncAPI 3.0', async () => {
  const { document } = await asyncapi();
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false });

  const valid = ajv.validate(load('@asyncapi/specs/schemas/3.0.0-without-$id.json') as object, document);

  expect(ajv.errors).toBeNull();
  expect(valid).toBe(true);
});

it('resolves every reference of the AsyncAPI document', async () => {
  const { document } = await asyncapi();
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
    (match) => match[1] ?? '',
  );

  for (const reference of new Set(references)) {
    const target = reference.split('/').reduce<Document>((value, key) => value?.[key], document);
    expect(target, reference).toBeDefined();
  }
});

it('has every message of the wire, with its answers, and those that were added', async () => {
  const { document } = await asyncapi();
  const names = Object.values<Document>(document.components.messages).map(({ name }) => name);
  const { translate } = document.operations;

  expect(names).toEqual(
    expect.arrayContaining([...Object.keys(CLIENT_FRAMES), ...Object.keys(SERVER_FRAMES)]),
  );
  expect(names).toEqual(expect.arrayContaining(['translate', 'translated', 'fire:and.forget']));
  expect(translate.reply.messages.map(({ $ref }: Document) => $ref.split('/').at(-1))).toEqual([
    'translated',
    'error',
  ]);
  expect(document.components.messages.translate.payload.properties.data.required).toEqual(['text']);
  expect(document.components.schemas['event.custom_translated'].allOf[1].properties).toMatchObject({
    event_type: { const: 'custom:translated' },
    payload: { properties: { words: { type: 'integer' } } },
  });
});

it('shows both documents on one page that needs nothing from elsewhere', async () => {
  const { url } = await asyncapi();

  const response = await fetch(`${url}/docs`);
  const page = await response.text();

  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  const addresses = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1] ?? '');
  for (const address of addresses) expect(address).toMatch(/^[/#](?!\/)/);
  for (const path of new Set(addresses.filter((address) => address.startsWith('/')))) {
    const answer = await fetch(url + path);
    await answer.arrayBuffer();
    expect(answer.status, path).toBe(200);
  }
  const ids = new Set([...page.matchAll(/ id="([^"]*)"/g)].map((match) => match[1]));
  for (const anchor of addresses.filter((address) => address.startsWith('#'))) {
    expect(ids, anchor).toContain(anchor.slice(1));
  }
});

/** The text of HTML without markup. */
function unescaped(html: string): string {
  const characters: Record<string, string> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' };
  return html.replaceAll(/&(lt|gt|quot|#39|amp);/g, (_whole, name: string) => characters[name] as string);
}

it('shows on the page where to connect and a sample of every frame, as the protocol has it', async () => {
  const { url } = await asyncapi();

  const page = await (await fetch(`${url}/docs`)).text();
  const samples = [...page.matchAll(/id="frame-([^"]+)"><h4>.*?<pre>(.*?)<\/pre>/gs)].map(
    ([, key, text]) => ({
      key,
      frame: JSON.parse(unescaped(text as string)) as Document,
    }),
  );

  expect(page).toContain('ws://HOST/api/sessions/{session_id}/ws');
  const keys = samples.map(({ key }) => key);
  expect(keys).toEqual(
    expect.arrayContaining([...Object.keys(CLIENT_FRAMES), ...Object.keys(SERVER_FRAMES)]),
  );
  for (const { key, frame } of samples) {
    if (key === 'event' || key === 'publish_event') expect(frame.type).toBe('event');
    const schemas = { ...SERVER_FRAMES, ...CLIENT_FRAMES, event: SERVER_FRAMES.event };
    const schema = schemas[key as keyof typeof schemas] as z.ZodType | undefined;
    expect(schema?.safeParse(frame.data ?? {}).error, key).toBeUndefined();
  }
  expect(samples.find(({ key }) => key === 'command')?.frame).toEqual({
    type: 'command',
    message_id: '1',
    data: { command: 'prompt', parameters: { prompt: 'Hello' } },
  });
  expect(samples.find(({ key }) => key === 'translate')?.frame.data).toEqual({ text: '…' });
});

it('shows on the page what each engine takes: its commands, their parameters, its configuration', async () => {
  const Tree: z.ZodType = z.object({
    name: z.string(),
    get children() {
      return z.array(Tree).optional();
    },
  });
  const apiFactory = new ExtensibleAPIFactory().registerEngine(
    defineEngine({
      type: 'Gardener',
      description: 'Grows <b>trees</b>',
      config: z.object({ soil: z.string().optional() }),
      commands: { plant: { description: 'Plants one', parameters: Tree } },
      create: () => ({ run: async () => null }),
    }),
  );
  const { url } = await startApp({ apiFactory });

  const page = await (await fetch(`${url}/docs`)).text();
  const article = (name: string) => page.split(`id="engine-${name}"`)[1]?.split('</article>')[0] ?? '';

  const chat = article('ToolChatEngine');
  for (const text of ['prompt', 'attachments', 'attachments[].mime_type', 'max_steps', 'temperature']) {
    expect(chat).toContain(`<code>${text}</code>`);
  }
  expect(unescaped(chat)).toContain('"data":{"command":"prompt","parameters":{"prompt":"Hello"}}');
  const own = article('Gardener');
  for (const text of ['plant', 'name', 'children', 'soil']) expect(own).toContain(`<code>${text}</code>`);
  expect(own).not.toContain('<b>');
});

it('says which limits there are', async () => {
  const { document } = await asyncapi();
  const { Limits } = document.components.schemas;
  const info = await call('GET', `${(await startApp()).url}/api/info`);

  expect(Object.keys(Limits.properties).sort()).toEqual(Object.keys(info.body.limits).sort());
  for (const { description } of Object.values<Document>(Limits.properties)) expect(description).toBeTruthy();
});

it('check 31: explains every error where its problem points, and runs nothing that a description holds', async () => {
  const { url } = await asyncapi();
  const { body: problem } = await call('GET', `${url}/nope`);
  const [path, anchor] = problem.type.split('#');

  const page = await (await fetch(url + path)).text();

  for (const id of [
    anchor,
    ...ERROR_CODES,
    ...Object.keys(CLOSE_CODE_MEANINGS).map((code) => `close-${code}`),
  ]) {
    expect(page).toContain(`id="${id}"`);
  }
  for (const type of [...Object.keys(CLIENT_FRAMES), ...Object.keys(SERVER_FRAMES), 'translate']) {
    expect(page).toContain(`<h4><code>${type}</code></h4>`);
  }
  expect(page).not.toContain('<script>alert');
});

it('refuses at the start a route whose schema is no Zod schema', async () => {
  const apiFactory = new ExtensibleAPIFactory().registerCustomRouter('/mine', (app) => {
    app.post('/', { schema: { body: { type: 'object' } } }, async () => 'ok');
  });

  await expect(startApp({ apiFactory })).rejects.toThrow(/POST \/mine.*Zod schema/);
});
