import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFetchUrlTool, createPageReader } from '../../../src/tools/fetch-url/tool.ts';
import { closing, toolContext } from '../tool-context.ts';
import { CERTIFICATE, KEY } from './certificate.ts';
import { asPublic, listening, send, webServer } from './web-server.ts';

async function tlsServer(answer: RequestListener) {
  return listening(createServer({ key: KEY, cert: CERTIFICATE }, answer));
}

function fetchUrl(url: string, ...servers: readonly { readonly port: number }[]) {
  const tool = createFetchUrlTool({
    reader: closing(createPageReader()),
    guard: asPublic(...servers),
    resolve: async () => ['127.0.0.1'],
  });
  return tool.execute(tool.parameters.parse({ url }), toolContext());
}

test('a certificate that nobody vouches for is refused', async () => {
  const server = await tlsServer((_request, response) => send(response, 'text/plain', 'hello'));

  await expect(fetchUrl(`https://secure.test:${server.port}/`, server)).rejects.toThrow(
    /^secure.test:\d+ could not be read: self-signed certificate/,
  );
});

describe('where the certificate is known', () => {
  const known = getCACertificates('default');
  beforeEach(() => setDefaultCACertificates([...known, CERTIFICATE]));
  afterEach(() => setDefaultCACertificates(known));

  test('a page is read by https', async () => {
    const server = await tlsServer((_request, response) => send(response, 'text/plain', 'hello'));

    expect(await fetchUrl(`https://secure.test:${server.port}/`, server)).toMatchObject({ text: 'hello' });
  });

  test('a certificate for another name is refused', async () => {
    const server = await tlsServer((_request, response) => send(response, 'text/plain', 'hello'));

    await expect(fetchUrl(`https://other.test:${server.port}/`, server)).rejects.toThrow(
      /^other.test:\d+ could not be read: .*does not match/,
    );
  });

  test('a redirect from http to https is followed', async () => {
    const secure = await tlsServer((_request, response) => send(response, 'text/plain', 'secure'));
    const plain = await webServer((_request, response) => {
      response.writeHead(301, { location: `https://secure.test:${secure.port}/` }).end();
    });

    const result = await fetchUrl(`http://secure.test:${plain.port}/`, plain, secure);

    expect(result).toMatchObject({ text: 'secure', url: `https://secure.test:${secure.port}/` });
  });

  test('a redirect from https to http is not', async () => {
    const plain = await webServer((_request, response) => send(response, 'text/plain', 'plain'));
    const secure = await tlsServer((_request, response) => {
      response.writeHead(301, { location: `http://secure.test:${plain.port}/` }).end();
    });

    await expect(fetchUrl(`https://secure.test:${secure.port}/`, plain, secure)).rejects.toThrow(
      'A redirect from https to http is not followed',
    );
    expect(plain.requests).toEqual([]);
  });
});
