import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { z } from 'zod';
import { dnsResolve } from '../../../src/tools/fetch-url/public-web.ts';
import {
  createFetchUrlTool,
  createPageReader,
  type FetchUrlOptions,
} from '../../../src/tools/fetch-url/tool.ts';
import { toolContext } from '../tool-context.ts';
import { asPublic, endless, nameServer, rawServer, send, webServer } from './web-server.ts';

const reader = createPageReader();
afterAll(() => reader.close());

type Input = z.input<ReturnType<typeof createFetchUrlTool>['parameters']>;

/** Fetches as a model does. */
async function fetchUrl(
  input: string | Input,
  options: Partial<FetchUrlOptions> = {},
  signal?: AbortSignal,
): Promise<Record<string, unknown>> {
  const tool = createFetchUrlTool({ reader, ...options });
  const args = tool.parameters.parse(typeof input === 'string' ? { url: input } : input);
  return (await tool.execute(args, toolContext(signal))) as Record<string, unknown>;
}

const HTML = 'text/html; charset=utf-8';

test('reads the text of a page, with its title and where its links lead', async () => {
  const page = `<!doctype html><html><head><title> The &amp; page </title><style>p { color: red }</style></head>
    <body><script>alert(1)</script><h1>Heading</h1><p>One <b>two</b>&nbsp;three.</p><img src="x.png" alt="a picture">
    <ul><li><a href="/next?a=1#b">Next</a></li><li><a href="#top">Top</a></li><li><a href="javascript:alert(1)">Click</a></li></ul>
    <noscript>no</noscript><template>no</template></body></html>`;
  const server = await webServer((_request, response) => send(response, HTML, page));

  const result = await fetchUrl(`${server.url}/start#part`, { guard: asPublic(server) });

  expect(result).toEqual({
    url: `${server.url}/start`,
    status: 200,
    title: 'The & page',
    content_type: 'text/html',
    text: expect.any(String),
    truncated: false,
  });
  expect(result.text).toBe(
    `Heading\n\nOne two\u00a0three.\n\n * Next [${server.url}/next?a=1#b]\n * Top\n * Click`,
  );
});

test('tells people whom it asks', async () => {
  const server = await webServer((_request, response) => send(response, 'text/plain', 'hello'));
  const told: string[] = [];
  const tool = createFetchUrlTool({ reader, guard: asPublic(server) });

  await tool.execute(tool.parameters.parse({ url: `${server.url}/a?b=c` }), {
    ...toolContext(),
    progress: (text) => void told.push(text),
  });

  expect(told).toEqual([`Reading 127.0.0.1:${server.port}`]);
});

test('asks politely, with nothing that says who asks or for whom', async () => {
  const server = await webServer((_request, response) => {
    response.setHeader('set-cookie', 'id=1');
    send(response, 'text/plain', 'hello');
  });

  await fetchUrl(`${server.url}/a?b=%20c`, { guard: asPublic(server) });
  await fetchUrl(`${server.url}/a`, { guard: asPublic(server) });

  const [first, second] = server.requests;
  expect(first).toMatchObject({ method: 'GET', url: '/a?b=%20c' });
  expect(first?.headers['user-agent']).toMatch(/^LLMgine\/\d+\.\d+\.\d+$/);
  expect(Object.keys(second?.headers ?? {}).sort()).toEqual([
    'accept',
    'accept-encoding',
    'connection',
    'host',
    'user-agent',
  ]);
});

test.each([
  ['text/plain', 'a <b>c</b>'],
  ['text/markdown; charset=utf-8', '# a'],
  ['text/csv', 'a,b'],
  ['application/json', '{"a":1}'],
  ['application/ld+json', '{"a":1}'],
  ['application/xml', '<a/>'],
  ['application/rss+xml', '<rss/>'],
  ['TEXT/PLAIN;Charset="UTF-8"', 'ä'],
])('%s is text as it is', async (type, body) => {
  const server = await webServer((_request, response) => send(response, type, body));

  expect(await fetchUrl(server.url, { guard: asPublic(server) })).toMatchObject({
    text: body,
    content_type: type.split(';')[0]?.toLowerCase(),
  });
});

test('the source of a page is there for who asks for it', async () => {
  const server = await webServer((_request, response) => send(response, HTML, '<p>a</p>'));

  const result = await fetchUrl({ url: server.url, format: 'html' }, { guard: asPublic(server) });

  expect(result).toMatchObject({ text: '<p>a</p>', content_type: 'text/html' });
});

test('an answer that is an error is read like any other', async () => {
  const server = await webServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('there is no such page');
  });

  expect(await fetchUrl(server.url, { guard: asPublic(server) })).toMatchObject({
    status: 404,
    text: 'there is no such page',
  });
});

test.each([
  'image/png',
  'application/pdf',
  'application/octet-stream',
  'application/javascript',
  'video/mp4',
  'multipart/form-data; boundary=a',
  'text',
  '',
])('the type %j is refused before its body is read', async (type) => {
  const closed = Promise.withResolvers<void>();
  const server = await webServer((_request, response) => {
    response.once('close', () => closed.resolve());
    response.writeHead(200, type === '' ? {} : { 'content-type': type });
    endless(response, Buffer.alloc(1000));
  });

  await expect(fetchUrl(server.url, { guard: asPublic(server) })).rejects.toThrow(
    /^The server answered 200 with .*; only text, HTML, JSON and XML are read$/,
  );
  await closed.promise;
});

describe('the characters of a page', () => {
  test.each([
    ['text/plain; charset=iso-8859-1', Buffer.from('grün', 'latin1'), 'grün'],
    ['text/plain; charset=windows-1251', Buffer.from([0xcf, 0xf0]), 'Пр'],
    ['text/plain; charset=shift_jis', Buffer.from([0x93, 0xfa]), '日'],
    ['text/plain', Buffer.from('grün'), 'grün'],
    ['text/plain; charset=nonsense', Buffer.from('grün'), 'grün'],
    ['text/plain; charset=utf-8', Buffer.from('\ufeffgrün', 'utf16le'), 'grün'],
    ['text/plain; charset=iso-8859-1', Buffer.from('\ufeffgrün'), 'grün'],
    ['text/html', Buffer.from('<meta charset="iso-8859-1"><p>grün', 'latin1'), 'grün'],
    [
      'text/html',
      Buffer.from('<meta http-equiv=a content="text/html; charset=latin1"><p>grün', 'latin1'),
      'grün',
    ],
    ['text/plain', Buffer.from([0x61, 0xff, 0x62]), 'a\ufffdb'],
    ['text/plain', Buffer.from('a\u0000\u0001\u001b[31mb\r\nc\td\u0085'), 'a[31mb\nc\td'],
  ])('%s: %o', async (type, body, text) => {
    const server = await webServer((_request, response) => send(response, type, body));

    expect(await fetchUrl(server.url, { guard: asPublic(server) })).toMatchObject({ text });
  });

  test('are cut between two of them, and it says so', async () => {
    const server = await webServer((_request, response) => send(response, 'text/plain', 'ab😀cd'));
    const cut = (max: number) =>
      fetchUrl({ url: server.url, max_characters: max }, { guard: asPublic(server) });

    expect(await cut(2)).toMatchObject({ text: 'ab', truncated: true });
    expect(await cut(3)).toMatchObject({ text: 'ab', truncated: true });
    expect(await cut(4)).toMatchObject({ text: 'ab😀', truncated: true });
    expect(await cut(6)).toMatchObject({ text: 'ab😀cd', truncated: false });
  });

  test('fit into the result of a tool, whatever they are', async () => {
    const worst = '\n"\\\ud800\u0000'.repeat(100_000);
    const server = await webServer((_request, response) => send(response, 'text/plain', worst));

    const result = await fetchUrl({ url: server.url, max_characters: 40_000 }, { guard: asPublic(server) });

    expect(JSON.stringify(result).length).toBeLessThan(100_000);
  });
});

describe('check 27 (API7:2023): redirects', () => {
  const redirect = (response: ServerResponse, location: string, status = 302) =>
    void response.writeHead(status, { location }).end('a redirect');

  test.each([301, 302, 303, 307, 308])(
    'with %i are followed, and the result has the last address',
    async (status) => {
      const server = await webServer((request, response) => {
        if (request.url === '/a/b') redirect(response, '../c?d#e', status);
        else send(response, 'text/plain', 'there');
      });

      expect(await fetchUrl(`${server.url}/a/b`, { guard: asPublic(server) })).toMatchObject({
        url: `${server.url}/c?d`,
        text: 'there',
      });
    },
  );

  test('without an end are followed five times', async () => {
    const server = await webServer((request, response) =>
      redirect(response, `/${Number(request.url?.slice(1)) + 1}`),
    );

    await expect(fetchUrl(`${server.url}/0`, { guard: asPublic(server) })).rejects.toThrow(
      'More than 5 redirects are not followed',
    );
    expect(server.requests.map(({ url }) => url)).toEqual(['/0', '/1', '/2', '/3', '/4', '/5']);
  });

  test.each([
    'http://169.254.169.254/latest/meta-data/iam/security-credentials/',
    'http://[fd00:ec2::254]/latest/meta-data/',
    'http://2852039166/',
    'http://10.0.0.1/',
    'http://[::ffff:127.0.0.1]/',
    '//192.168.0.1/',
    'http://8.8.8.8:22/',
  ])('to %s are refused', async (location) => {
    const server = await webServer((_request, response) => redirect(response, location));

    await expect(fetchUrl(server.url, { guard: asPublic(server) })).rejects.toThrow(
      'is not on the public web, so it is not fetched',
    );
  });

  test('to another port of the same machine are refused, and it hears nothing', async () => {
    const inside = await webServer((_request, response) => send(response, 'text/plain', 'secret'));
    const server = await webServer((_request, response) => redirect(response, inside.url));

    await expect(fetchUrl(server.url, { guard: asPublic(server) })).rejects.toThrow(
      'is not on the public web',
    );
    expect(inside.requests).toEqual([]);
  });

  test.each([
    ['file:///etc/passwd', 'Only addresses that begin with'],
    ['data:text/plain,hello', 'Only addresses that begin with'],
    ['gopher://127.0.0.1:6379/_FLUSHALL', 'Only addresses that begin with'],
    ['http://user:secret@example.com/', 'with a user name or a password'],
    [`/${'a'.repeat(3000)}`, 'too long'],
  ])('to %s are refused, too', async (location, message) => {
    const server = await webServer((_request, response) => redirect(response, location));

    await expect(fetchUrl(server.url, { guard: asPublic(server) })).rejects.toThrow(message);
  });

  test('without a place to go to are pages', async () => {
    const server = await webServer((_request, response) => {
      response.writeHead(302, { 'content-type': 'text/plain' }).end('nowhere');
    });

    expect(await fetchUrl(server.url, { guard: asPublic(server) })).toMatchObject({
      status: 302,
      text: 'nowhere',
    });
  });
});

describe('check 27 (API7:2023): the name of a host', () => {
  test('that is another machine the second time is asked for once, and connected to what was checked', async () => {
    const server = await webServer((_request, response) => send(response, 'text/plain', 'public'));
    let turn = 0;
    const { servers, asked } = await nameServer(() => (turn++ === 0 ? ['127.0.0.1'] : ['10.0.0.1']));

    const result = await fetchUrl(`http://rebinding.test:${server.port}/`, {
      guard: asPublic(server),
      resolve: dnsResolve(servers),
    });

    expect(result.text).toBe('public');
    expect(asked).toEqual(['rebinding.test']);
    expect(server.requests[0]?.headers.host).toBe(`rebinding.test:${server.port}`);
  });

  test('is looked up and checked again for each redirect', async () => {
    const server = await webServer(
      (_request, response) => void response.writeHead(302, { location: '/again' }).end(),
    );
    let turn = 0;
    const { servers, asked } = await nameServer(() => (turn++ === 0 ? ['127.0.0.1'] : ['10.0.0.1']));

    await expect(
      fetchUrl(`http://rebinding.test:${server.port}/`, {
        guard: asPublic(server),
        resolve: dnsResolve(servers),
      }),
    ).rejects.toThrow(`rebinding.test:${server.port} is not on the public web`);

    expect(asked).toEqual(['rebinding.test', 'rebinding.test']);
    expect(server.requests).toHaveLength(1);
  });

  test('with one private address among public ones gets no connection', async () => {
    const server = await webServer((_request, response) => send(response, 'text/plain', 'public'));
    const { servers } = await nameServer(() => ['127.0.0.1', '10.0.0.1']);

    await expect(
      fetchUrl(`http://two.test:${server.port}/`, { guard: asPublic(server), resolve: dnsResolve(servers) }),
    ).rejects.toThrow('is not on the public web');
    expect(server.requests).toEqual([]);
  });
});

test('a proxy of the environment is not used: it could reach what the guard refuses', async () => {
  const proxy = await webServer((_request, response) => send(response, 'text/plain', 'by the proxy'));
  const server = await webServer((_request, response) => send(response, 'text/plain', 'direct'));
  for (const name of ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY']) vi.stubEnv(name, proxy.url);
  vi.stubEnv('NODE_USE_ENV_PROXY', '1');

  const { text } = await fetchUrl(server.url, { guard: asPublic(server) }).finally(() => vi.unstubAllEnvs());

  expect(text).toBe('direct');
  expect(proxy.requests).toEqual([]);
});

describe('compression', () => {
  test.each([
    ['gzip', gzipSync('hello')],
    ['x-gzip', gzipSync('hello')],
    ['deflate', deflateSync('hello')],
    ['br', brotliCompressSync('hello')],
    ['BR', brotliCompressSync('hello')],
    ['identity', Buffer.from('hello')],
  ])('%s is undone', async (encoding, body) => {
    const server = await webServer((_request, response) => {
      response.setHeader('content-encoding', encoding);
      send(response, 'text/plain', body);
    });

    expect(await fetchUrl(server.url, { guard: asPublic(server) })).toMatchObject({
      text: 'hello',
      truncated: false,
    });
  });

  test.each(['zstd', 'compress', 'gzip, gzip', 'constructor', 'nonsense'])(
    '%s is refused',
    async (encoding) => {
      const server = await webServer((_request, response) => {
        response.setHeader('content-encoding', encoding);
        send(response, 'text/plain', 'hello');
      });

      await expect(fetchUrl(server.url, { guard: asPublic(server) })).rejects.toThrow(
        `The encoding "${encoding}" is not read`,
      );
    },
  );

  test.each([
    ['broken', Buffer.from('this is not gzip')],
    ['cut off', gzipSync('hello'.repeat(1000)).subarray(0, 20)],
  ])('that is %s is an error', async (_what, body) => {
    const server = await webServer((_request, response) => {
      response.setHeader('content-encoding', 'gzip');
      send(response, 'text/plain', body);
    });

    await expect(fetchUrl(server.url, { guard: asPublic(server) })).rejects.toThrow(/could not be read: /);
  });

  const zeros = Buffer.alloc(64_000_000);

  test.each([
    ['gzip', gzipSync(zeros)],
    ['deflate', deflateSync(zeros)],
    ['br', brotliCompressSync(zeros)],
  ])('a bomb of %s is unpacked to the limit and no further', async (encoding, bomb) => {
    const server = await webServer((_request, response) => {
      response.setHeader('content-encoding', encoding);
      send(response, 'text/plain', bomb);
    });
    const before = process.memoryUsage().rss;

    const result = await fetchUrl(server.url, { guard: asPublic(server) });

    expect(bomb.length).toBeLessThan(100_000);
    expect(result).toMatchObject({ text: '', truncated: true });
    expect(process.memoryUsage().rss - before).toBeLessThan(zeros.length);
  });

  test('of what unpacks to nothing, again and again, has an end', async () => {
    const nothing = gzipSync('');
    const server = await webServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' });
      endless(response, Buffer.concat(Array.from({ length: 1000 }, () => nothing)));
    });

    await expect(fetchUrl(server.url, { guard: asPublic(server), maxBytes: 500_000 })).rejects.toThrow(
      'More than 500000 bytes came',
    );
  });
});

describe('a server without manners', () => {
  test('that sends for ever is left at the limit', async () => {
    const closed = Promise.withResolvers<void>();
    const server = await webServer((_request, response) => {
      response.once('close', () => closed.resolve());
      response.writeHead(200, { 'content-type': 'text/plain' });
      endless(response, Buffer.alloc(10_000, 'a'));
    });

    const result = await fetchUrl(server.url, { guard: asPublic(server), maxBytes: 100_000 });

    expect(result).toMatchObject({ text: 'a'.repeat(20_000), truncated: true });
    await closed.promise;
  });

  test('that lets a body drip is left when the time is up', async () => {
    const closed = Promise.withResolvers<void>();
    const server = await webServer((_request, response) => {
      const drip = setInterval(() => response.write('a'), 20);
      response.once('close', () => {
        clearInterval(drip);
        closed.resolve();
      });
      response.writeHead(200, { 'content-type': 'text/plain' });
    });

    await expect(fetchUrl(server.url, { guard: asPublic(server), totalMs: 1000 })).rejects.toThrow(
      'The page did not come within 1 s',
    );
    await closed.promise;
  });

  test.each([
    ['headers drip', 'HTTP/1.1 200 OK\r\n', 'a: b\r\n'],
    ['status line drips', '', 'H'],
    ['early hints do not end', '', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'],
  ])('whose %s is left when the time is up', async (_what, first, drop) => {
    const closed = Promise.withResolvers<void>();
    const server = await rawServer((socket) => {
      socket.write(first);
      const text = drop === 'H' ? 'HTTP/1.1 200 OK' : drop.repeat(100);
      let at = 0;
      const drip = setInterval(() => socket.write(text.charAt(at++ % text.length)), 20);
      socket.once('close', () => {
        clearInterval(drip);
        closed.resolve();
      });
    });

    await expect(fetchUrl(server.url, { guard: asPublic(server), totalMs: 1000 })).rejects.toThrow(
      'The page did not come within 1 s',
    );
    await closed.promise;
  });

  test('that says nothing is left when the time is up', async () => {
    const server = await rawServer(() => {});

    await expect(fetchUrl(server.url, { guard: asPublic(server), totalMs: 1000 })).rejects.toThrow(
      'The page did not come within 1 s',
    );
  });

  test.each([
    ['headers without an end', 'HTTP/1.1 200 OK\r\n', 'a: b\r\n'],
    ['one header without an end', 'HTTP/1.1 200 OK\r\na: ', 'b'.repeat(1000)],
    ['no HTTP', '', '220 mail.example.com ESMTP\r\n'],
  ])('that sends %s is refused', async (_what, first, more) => {
    const server = await rawServer((socket) => {
      socket.write(first);
      endless(socket, Buffer.from(more.repeat(100)));
    });

    await expect(fetchUrl(server.url, { guard: asPublic(server) })).rejects.toThrow(/could not be read: \S/);
  });

  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n';

  test.each([
    ['promises more than it sends', `${head}content-length: 100\r\n\r\nhello`],
    ['ends in the middle of a chunk', `${head}transfer-encoding: chunked\r\n\r\n64\r\nhello`],
    ['promises two lengths', `${head}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`],
    ['has a length that is none', `${head}content-length: -1\r\n\r\nhello`],
    ['has a length and chunks', `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['goes without an answer', ''],
  ])('that %s is an error', async (_what, bytes) => {
    const server = await rawServer((socket) => void socket.end(bytes));

    await expect(fetchUrl(server.url, { guard: asPublic(server) })).rejects.toThrow(/could not be read: \S/);
  });

  test('that sends more than it promised is read to its promise', async () => {
    const server = await rawServer(
      (socket) => void socket.end(`${head}content-length: 5\r\n\r\nhello and more`),
    );

    expect(await fetchUrl(server.url, { guard: asPublic(server) })).toMatchObject({ text: 'hello' });
  });

  test('that promises more than is read is read to the limit', async () => {
    const server = await webServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 10_000_000_000 });
      endless(response, Buffer.alloc(1000, 'a'));
    });

    const result = await fetchUrl(server.url, { guard: asPublic(server), maxBytes: 5000 });

    expect(result).toMatchObject({ text: 'a'.repeat(5000), truncated: true });
  });

  test('that is not there is said to be', async () => {
    // Nobody may listen there who is not root.
    await expect(fetchUrl('http://127.0.0.1:1/', { guard: { allows: () => true } })).rejects.toThrow(
      '127.0.0.1:1 could not be read: ',
    );
  });
});

describe('a call that is cancelled', () => {
  test('in the middle of a page reaches the server', async () => {
    const controller = new AbortController();
    const closed = Promise.withResolvers<void>();
    const server = await webServer((_request, response) => {
      response.once('close', () => closed.resolve());
      response.writeHead(200, { 'content-type': 'text/plain' }).write('a', () => {
        controller.abort(new Error('cancelled'));
      });
    });

    await expect(fetchUrl(server.url, { guard: asPublic(server) }, controller.signal)).rejects.toThrow(
      'cancelled',
    );
    await closed.promise;
  });

  test('before there is an answer reaches the server', async () => {
    const controller = new AbortController();
    const closed = Promise.withResolvers<void>();
    const server = await webServer((request) => {
      request.socket.once('close', () => closed.resolve());
      controller.abort(new Error('cancelled'));
    });

    await expect(fetchUrl(server.url, { guard: asPublic(server) }, controller.signal)).rejects.toThrow(
      'cancelled',
    );
    await closed.promise;
  });

  test('before it has begun opens no connection', async () => {
    const server = await webServer((_request, response) => send(response, 'text/plain', 'hello'));

    await expect(
      fetchUrl(server.url, { guard: asPublic(server) }, AbortSignal.abort(new Error('cancelled'))),
    ).rejects.toThrow('cancelled');
    expect(server.requests).toEqual([]);
  });

  test('between two redirects goes no further', async () => {
    const controller = new AbortController();
    const server = await webServer((_request, response) => {
      response.writeHead(302, { location: '/again' }).end();
      controller.abort(new Error('cancelled'));
    });

    await expect(fetchUrl(server.url, { guard: asPublic(server) }, controller.signal)).rejects.toThrow(
      'cancelled',
    );
    expect(server.requests).toHaveLength(1);
  });
});

test('no connection outlives its call', async () => {
  const sockets: Promise<unknown>[] = [];
  const server = await webServer((request, response) => {
    sockets.push(once(request.socket, 'close'));
    response.setHeader('connection', 'keep-alive');
    if (request.url === '/') response.writeHead(302, { location: '/there' }).end();
    else send(response, 'text/plain', 'hello');
  });

  await fetchUrl(server.url, { guard: asPublic(server) });

  expect(sockets).toHaveLength(2);
  await Promise.all(sockets);
});
