import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempDir } from '../../../../../tests/helpers/app.ts';
import { APIConfig, ConfigError } from '../../../src/config.ts';
import { readMcpServers } from '../../../src/tools/mcp/read-servers.ts';

function read(mcpServers: unknown, env: Record<string, string> = {}) {
  return readMcpServers(
    new APIConfig({}, { env: { ...env, LLMGINE_API_MCP_SERVERS: JSON.stringify(mcpServers) } }),
  );
}

async function file(content: string): Promise<string> {
  const path = join(await tempDir(), 'mcp.json');
  await writeFile(path, content);
  return path;
}

test('what other programs write is understood', () => {
  const { servers, warnings } = read({
    files: { command: 'npx', args: ['-y', 'server', '/data'], env: { LEVEL: 'info' }, cwd: '/tmp' },
    remote: { type: 'http', url: 'https://example.com/mcp', headers: { Authorization: 'Bearer x' } },
    old: { transport: 'sse', url: 'https://example.com/sse' },
    any: { url: 'https://example.com/mcp' },
    streamable: { type: 'streamableHttp', url: 'https://example.com/mcp' },
  });
  expect(servers.map(({ name, reach }) => [name, reach.kind])).toEqual([
    ['files', 'stdio'],
    ['remote', 'http'],
    ['old', 'sse'],
    ['any', 'any'],
    ['streamable', 'http'],
  ]);
  expect(servers[0]).toMatchObject({ approval: false, timeoutMs: 60_000 });
  expect(servers[0]?.reach).toEqual({
    kind: 'stdio',
    command: 'npx',
    args: ['-y', 'server', '/data'],
    env: { LEVEL: 'info' },
    cwd: '/tmp',
  });
  expect(warnings).toEqual([]);
});

test('what is copied from a file of another program, with the name around it, is understood too', () => {
  expect(read({ mcpServers: { a: { command: 'x' } } }).servers).toMatchObject([{ name: 'a' }]);
  expect(read({ mcpServers: { command: 'x' } }).servers).toMatchObject([{ name: 'mcpServers' }]);
});

test('options of ours are read, and fields that mean nothing are told', () => {
  const { servers, disabled, warnings } = read({
    a: {
      command: 'x',
      allowedTools: ['one'],
      approval: ['one'],
      timeout: 2.5,
      autoApprove: [],
      color: 'red',
    },
    b: { command: 'x', approval: 'always' },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the setting's own syntax.
    off: { command: 'x', disabled: true, env: { KEY: '${NOT_SET}' } },
  });
  expect(servers).toMatchObject([
    { name: 'a', allowedTools: new Set(['one']), approval: new Set(['one']), timeoutMs: 2500 },
    { name: 'b', approval: true },
  ]);
  expect(disabled).toEqual(['off']);
  expect(warnings).toEqual([
    'the MCP server "a" has fields that mean nothing here and are ignored: autoApprove, color',
  ]);
});

test('variables are filled in from the environment', () => {
  const env = { TOKEN: 't-1', HOST: 'example.com' };
  const [local, remote] = read(
    {
      // biome-ignore-start lint/suspicious/noTemplateCurlyInString: it is the setting's own syntax.
      local: {
        command: 'x',
        args: ['${TOKEN}'],
        env: { A: 'x-${TOKEN}', B: '${env:TOKEN}', C: '${NONE:-other}' },
      },
      remote: { url: 'https://${HOST}/mcp', headers: { Authorization: 'Bearer ${TOKEN}' } },
      // biome-ignore-end lint/suspicious/noTemplateCurlyInString: it is the setting's own syntax.
    },
    env,
  ).servers;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: arguments are taken as they are.
  expect(local?.reach).toMatchObject({ args: ['${TOKEN}'], env: { A: 'x-t-1', B: 't-1', C: 'other' } });
  expect(remote?.reach).toMatchObject({
    url: new URL('https://example.com/mcp'),
    headers: { Authorization: 'Bearer t-1' },
  });
});

test('what is secret in an entry is known', () => {
  const servers = read(
    {
      // biome-ignore-start lint/suspicious/noTemplateCurlyInString: it is the setting's own syntax.
      local: { command: 'x', env: { GITHUB_TOKEN: 'literal-1', LEVEL: 'verbose-1', OTHER: 'x ${TOKEN}' } },
      remote: {
        url: 'https://x/mcp?api_key=in-url-1&page=second-1',
        headers: { Authorization: 'Bearer word-1' },
      },
      // biome-ignore-end lint/suspicious/noTemplateCurlyInString: it is the setting's own syntax.
    },
    { TOKEN: 'expanded-1' },
  ).servers;
  expect(servers.map(({ secrets }) => [...secrets].sort())).toEqual([
    ['expanded-1', 'literal-1'],
    ['Bearer word-1', 'in-url-1', 'word-1'],
  ]);
});

test.each([
  ['no place', { a: {} }, '"a" needs either "command" or "url"'],
  ['two places', { a: { command: 'x', url: 'http://x' } }, '"a" needs either "command" or "url"'],
  ['no object', { a: 'npx' }, '"a" must be an object'],
  ['an empty command', { a: { command: '' } }, '"a" command must not be empty'],
  ['arguments as text', { a: { command: 'x', args: '-y' } }, '"a" args must be a list of texts'],
  ['a variable that is no text', { a: { command: 'x', env: { A: {} } } }, '"a" env.A must be a text'],
  [
    'an unknown type',
    { a: { type: 'carrier-pigeon', url: 'http://x' } },
    '"a" type must be "stdio", "http" or "sse"',
  ],
  ['a command over HTTP', { a: { type: 'http', command: 'x' } }, 'not of type "http"'],
  ['a URL over stdio', { a: { type: 'stdio', url: 'http://x' } }, 'not of type "stdio"'],
  ['a URL of a file', { a: { url: 'file:///etc/passwd' } }, '"a" url must begin with http:// or https://'],
  ['no header', { a: { url: 'http://x', headers: { 'a b': 'secret-1' } } }, 'headers.a b is not a header'],
  [
    'a line break in a header',
    { a: { url: 'http://x', headers: { a: 'x\ny: secret-1' } } },
    'headers.a is not',
  ],
  ['an unknown approval', { a: { command: 'x', approval: 'sometimes' } }, '"a" approval must be "never"'],
  ['no time', { a: { command: 'x', timeout: 0 } }, '"a" timeout must be seconds'],
  ['a zero byte', { a: { command: 'x\0y' } }, 'zero byte'],
  [
    'a variable that is not set',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the setting's own syntax.
    { a: { command: 'x', env: { K: '${KEY}' } } },
    'env.K names the variable KEY, which is not set',
  ],
  [
    'names that look alike',
    { 'a.b': { command: 'x' }, 'a b': { command: 'x' } },
    'would be called like those of "a.b"',
  ],
  ['names of which one begins like the other', { a__b: { command: 'x' }, a: { command: 'x' } }, 'of "a__b"'],
  [
    'a password in a URL',
    { a: { url: 'https://me:secret-1@example.com/mcp' } },
    '"a" url must hold no user and password',
  ],
])('%s is one line that names the server and the field', (_, servers, text) => {
  const failure = () => read(servers);
  expect(failure).toThrow(ConfigError);
  expect(failure).toThrow(text);
  expect(failure).toThrow(/^LLMGINE_API_MCP_SERVERS is \(hidden\), but [^\n]*$/);
  expect(failure).not.toThrow('secret-1');
});

test('a file adds to the setting; the same name in both is a mistake', async () => {
  const mcpConfig = await file('{"mcpServers": {"b": {"command": "y"}}, "other": 1}');
  const both = (name: string) =>
    readMcpServers(new APIConfig({ mcpConfig, mcpServers: { [name]: { command: 'x' } } }, { env: {} }));
  expect(both('a').servers.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(() => both('b')).toThrow(
    /^mcpConfig is ".*mcp.json", but the MCP server "b" is in mcpServers already$/,
  );
});

test.each([
  ['is not there', undefined, 'cannot be read'],
  ['is no JSON', '{"mcpServers": {"a": secret-1', 'does not hold JSON like'],
  ['has no servers', '{"servers": {}}', 'does not hold JSON like'],
  ['has servers as a list', '{"mcpServers": []}', 'does not hold JSON like'],
])('a file that %s is one line', async (_, content, text) => {
  const mcpConfig = content === undefined ? '/no/such/file.json' : await file(content);
  const failure = () => readMcpServers(new APIConfig({ mcpConfig }, { env: {} }));
  expect(failure).toThrow(ConfigError);
  expect(failure).toThrow(text);
  expect(failure).not.toThrow('secret-1');
});
