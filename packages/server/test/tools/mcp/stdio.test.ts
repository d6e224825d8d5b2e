import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { tempDir } from '../../../../../tests/helpers/app.ts';
import { EVERYTHING, FILESYSTEM, isAlive, listenForPeer, odd, program, startMcp } from './start-mcp.ts';

test('the tools of server-everything are there, namespaced, and give text, structure and notes', async () => {
  const mcp = startMcp({ all: program(EVERYTHING, 'stdio') });
  expect(await mcp.ready('all')).toMatchObject({
    level: 'info',
    peer: { name: 'mcp-servers/everything' },
    tools: mcp.registry.names.length,
  });

  const specs = mcp.registry.specs(['all__echo', 'all__get-sum']);
  expect(specs[1]).toMatchObject({
    name: 'all__get-sum',
    description: expect.stringContaining('sum'),
    parameters: { type: 'object', required: ['a', 'b'] },
  });
  expect(await mcp.call('all__echo', { message: 'hello' })).toBe('Echo: hello');
  expect(await mcp.call('all__get-sum', { a: 2, b: 3 })).toContain('5');
  expect(await mcp.call('all__get-structured-content', { location: 'Chicago' })).toEqual({
    temperature: expect.any(Number),
    conditions: expect.any(String),
    humidity: expect.any(Number),
  });
  const image = await mcp.call('all__get-tiny-image');
  expect(image).toMatchObject({
    content: [{ type: 'image', mime_type: 'image/png', bytes: expect.any(Number) }],
  });
  expect(JSON.stringify(image).length).toBeLessThan(500);
  await expect(mcp.call('all__get-sum', { a: 'two', b: 3 })).rejects.toThrow('number');
});

test('progress of a long call is told', async () => {
  const mcp = startMcp({ all: program(EVERYTHING, 'stdio') });
  await mcp.ready('all');
  const progress = vi.fn();
  await mcp.call('all__trigger-long-running-operation', { duration: 0.2, steps: 2 }, { progress });
  expect(progress).toHaveBeenCalledWith('trigger-long-running-operation: 1 of 2');
});

test('server-filesystem reads and writes where it may, and its refusals are errors', async () => {
  const folder = await tempDir();
  const mcp = startMcp({ files: program(FILESYSTEM, folder) });
  await mcp.ready('files');
  await mcp.call('files__write_file', { path: `${folder}/a.txt`, content: 'written' });
  expect(await mcp.call('files__read_text_file', { path: `${folder}/a.txt` })).toEqual({
    content: 'written',
  });
  await expect(mcp.call('files__read_text_file', { path: '/etc/passwd' })).rejects.toThrow('denied');
  expect(mcp.registry.get('files__read_text_file')?.idempotent).toBe(true);
});

test('check 33: a child sees its own variables and none of this process', async () => {
  vi.stubEnv('MCP_CANARY', 'do-not-leak');
  vi.stubEnv('LLMGINE_API_KEY', 'do-not-leak-either');
  const mcp = startMcp(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the setting's own syntax.
    { odd: { ...odd(), env: { TOKEN: '${SECRET}', PORT: 80 } } },
    { env: { SECRET: 'from-the-environment' } },
  );
  await mcp.ready('odd');
  const env = JSON.parse(String(await mcp.call('odd__env'))) as Record<string, string>;
  vi.unstubAllEnvs();
  expect(env).toMatchObject({ TOKEN: 'from-the-environment', PORT: '80', PATH: process.env.PATH });
  expect(JSON.stringify(env)).not.toContain('do-not-leak');
  expect(env).not.toHaveProperty('SECRET');
  // It has written it to its error output.
  expect(mcp.lines).toContainEqual(expect.objectContaining({ text: 'odd server starts[hidden]' }));
  expect(JSON.stringify(mcp.lines)).not.toContain('from-the-environment');
});

test('all pages of a list are read', async () => {
  const mcp = startMcp({ odd: odd() });
  await mcp.ready('odd');
  expect(mcp.registry.names).toHaveLength(16);
  expect(mcp.registry.specs(['odd__*'])).toHaveLength(16);
});

test('content that is no text becomes small notes, text of resources stays, failures are errors', async () => {
  const mcp = startMcp({ odd: odd() });
  await mcp.ready('odd');
  expect(await mcp.call('odd__mixed')).toEqual({
    text: 'see\nthis\ninside',
    content: [
      { type: 'image', mime_type: 'image/png', bytes: 3000 },
      { type: 'resource', uri: 'file:///b.bin', bytes: 10 },
    ],
  });
  await expect(mcp.call('odd__fail')).rejects.toThrow('no such file');
});

test('a server that dies in the middle of a call fails it at once, and comes back', async () => {
  const mcp = startMcp({ odd: odd() });
  await mcp.ready('odd');
  const other = mcp.call('odd__wait');
  const died = mcp.call('odd__die');
  await expect(died).rejects.toThrow('ended during the call');
  await expect(other).rejects.toThrow('ended during the call');

  expect((await mcp.lost('odd')).reason).toContain('exit code 3');
  expect(mcp.registry.names).toEqual([]);
  expect(mcp.registry.specs(['odd__echo', 'odd__never-seen'])).toEqual([]);
  await expect(mcp.call('odd__echo', { text: 'x' })).rejects.toThrow('not connected now');
  expect(mcp.status('odd')).toMatchObject({ status: expect.stringMatching(/down|connecting/), tools: 0 });

  await mcp.ready('odd', 2);
  expect(await mcp.call('odd__echo', { text: 'again' })).toBe('again');
  expect(mcp.status('odd')).toMatchObject({ status: 'ready', tools: 16, restarts: 1 });
});

test('a server that cannot be started, or ends while it starts, is tried again', async () => {
  const mcp = startMcp({
    none: { command: '/no/such/program' },
    folder: { ...odd(), cwd: '/no/such/folder' },
    short: odd('--die-after-hello'),
  });
  expect((await mcp.notReached('none', 2)).reason).toContain('ENOENT');
  expect((await mcp.notReached('folder')).reason).toContain('/no/such/folder does not exist');
  const { reason } = await mcp.notReached('short', 2);
  expect(reason).toContain('exit code 7');
  expect(reason).toContain('odd server starts');
  expect(mcp.status('none')?.restarts).toBeGreaterThanOrEqual(1);
});

test.skipIf(process.platform === 'win32')(
  'a child without a pipe is not reached, and takes nobody along',
  async () => {
    const program = fileURLToPath(new URL('no-descriptors.ts', import.meta.url));
    const command = `ulimit -n 64; exec "${process.execPath}" --conditions=@llmgine/source "${program}"`;
    const { stdout } = await promisify(execFile)('sh', ['-c', command]);
    expect(stdout).toBe('spawn cat EMFILE; spawn cat EMFILE');
  },
);

test('one that hangs at its hello holds up nobody, and has ended when it is closed', async () => {
  const peer = await listenForPeer();
  const mcp = startMcp({ stuck: odd('--hang', '--stubborn', `--peer=${peer.port}`), fine: odd() });
  await Promise.all([mcp.ready('fine'), peer.arrived]);
  expect(mcp.status('stuck')?.status).toBe('connecting');
  await mcp.servers.close();
  await peer.gone;
});

test('what a server has started ends with it', async () => {
  const peer = await listenForPeer();
  const mcp = startMcp({ odd: odd() });
  await mcp.ready('odd');
  await mcp.call('odd__child', { size: peer.port });
  await peer.arrived;
  await expect(mcp.call('odd__die')).rejects.toThrow('ended');
  await peer.gone;
});

test('one that hangs at its hello is given up after its time, and tried again', async () => {
  const mcp = startMcp({ stuck: odd('--hang') }, { connectMs: 50 });
  await mcp.notReached('stuck', 2);
});

test('one that ignores its end and SIGTERM is killed', async () => {
  const mcp = startMcp({ odd: odd('--stubborn') });
  await mcp.ready('odd');
  const pid = Number(await mcp.call('odd__pid'));
  await Promise.all([mcp.servers.close(), mcp.servers.close()]);
  expect(isAlive(pid)).toBe(false);
  expect(mcp.registry.names).toEqual([]);
});

test('a start and a close at the same moment leave no child behind', async () => {
  const peer = await listenForPeer();
  const mcp = startMcp({ odd: odd(`--peer=${peer.port}`, '--stubborn') });
  await mcp.servers.close();
  expect(mcp.lines.map(({ msg }) => msg)).not.toContain('MCP server ready');
  mcp.servers.start();
  expect(mcp.lines.map(({ msg }) => msg)).not.toContain('MCP server ready');
});

test('garbage on the output is skipped', async () => {
  const mcp = startMcp({ odd: odd('--garbage') });
  await mcp.ready('odd');
  expect(await mcp.call('odd__echo', { text: 'fine' })).toBe('fine');
});

test('a server that floods is ended, while others go on', async () => {
  const mcp = startMcp({ loud: odd(), fine: odd() });
  await Promise.all([mcp.ready('loud'), mcp.ready('fine')]);
  const flooded = mcp.call('loud__flood').catch((error: Error) => error.message);
  expect(await mcp.call('fine__echo', { text: 'still here' })).toBe('still here');
  expect(await flooded).toContain('ended during the call');
  expect((await mcp.lost('loud')).reason).toContain('without end');
  expect(mcp.status('fine')?.restarts).toBe(0);
});

test('a message that is too long ends the server instead of filling the memory', async () => {
  const mcp = startMcp({ odd: odd() });
  await mcp.ready('odd');
  expect(String(await mcp.call('odd__huge', { size: 2_000_000 }))).toHaveLength(2_000_000);
  await expect(mcp.call('odd__huge', { size: 20_000_000 })).rejects.toThrow('ended during the call');
  expect((await mcp.lost('odd')).reason).toContain('maximum size');
  await mcp.ready('odd', 2);
});

test('a call that is cancelled is cancelled at the server too', async () => {
  const mcp = startMcp({ odd: odd() });
  await mcp.ready('odd');
  const controller = new AbortController();
  const begun = Promise.withResolvers<string>();
  const call = mcp.call('odd__wait', {}, { signal: controller.signal, progress: begun.resolve });
  expect(await begun.promise).toBe('wait: at 1');
  controller.abort(new Error('the person pressed stop'));
  await expect(call).rejects.toThrow('the person pressed stop');
  expect(JSON.parse(String(await mcp.call('odd__cancelled')))).toHaveLength(1);
});

test('a call that takes too long fails, and the server stays when it still answers', async () => {
  const mcp = startMcp({ odd: { ...odd(), timeout: 0.05 } });
  await mcp.ready('odd');
  await expect(mcp.call('odd__wait')).rejects.toThrow('did not answer within 0.05 seconds');
  // How fast it is, on whatever machine, is nothing that matters here.
  const echo = async () => expect(await mcp.call('odd__echo', { text: 'x' })).toBe('x');
  await vi.waitFor(echo, { timeout: 10_000 });
  expect(mcp.status('odd')?.restarts).toBe(0);
});

test('a flood of progress is a few lines', async () => {
  const mcp = startMcp({ odd: odd() });
  await mcp.ready('odd');
  const progress = vi.fn();
  await mcp.call('odd__progress', { size: 2000 }, { progress });
  expect(progress.mock.calls.length).toBeLessThan(200);
  expect(progress).toHaveBeenCalled();
});

test('a changed list replaces the tools at once', async () => {
  const mcp = startMcp({ odd: odd() });
  await mcp.ready('odd');
  await mcp.call('odd__add_tool', { text: 'new' });
  await vi.waitFor(() => expect(mcp.registry.names).toContain('odd__new'), { timeout: 10_000 });
  expect(await mcp.call('odd__new')).toBe('called new');
  await mcp.call('odd__remove_tool', { text: 'new' });
  await vi.waitFor(() => expect(mcp.registry.names).not.toContain('odd__new'), { timeout: 10_000 });
  // A session that has it in its configuration goes on without it.
  expect(mcp.registry.specs(['odd__new'])).toEqual([]);
  expect(() => mcp.registry.specs(['odd__never'])).toThrow(
    expect.objectContaining({ code: 'VALIDATION_ERROR' }),
  );
});

test('only allowed tools are there, approval is as the entry says, and wrong names are told', async () => {
  const mcp = startMcp({
    some: { ...odd(), allowedTools: ['echo', 'pid', 'nope'], approval: ['pid'] },
    all: { ...odd('--garbage'), approval: 'always', allowedTools: ['echo'] },
  });
  await Promise.all([mcp.ready('some'), mcp.ready('all')]);
  expect(mcp.registry.names).toEqual(['some__echo', 'some__pid', 'all__echo']);
  expect(mcp.registry.names.map((name) => mcp.registry.get(name)?.approval)).toEqual([false, true, true]);
  expect(mcp.lines.some(({ msg }) => msg.includes('has no tools called nope'))).toBe(true);
});

test('a server without tools is ready, and a disabled one is not started', async () => {
  const mcp = startMcp({ bare: odd('--no-tools'), off: { ...odd(), disabled: true } });
  await mcp.ready('bare');
  expect(mcp.servers.status()).toMatchObject([
    { name: 'bare', status: 'ready', tools: 0 },
    { name: 'off', status: 'disabled', tools: 0 },
  ]);
  expect(mcp.registry.specs(['off__anything'])).toEqual([]);
});

test('a server that knows only revisions without a hello is reached in their way', async () => {
  const mcp = startMcp({ odd: odd('--modern') });
  await mcp.ready('odd');
  expect(await mcp.call('odd__echo', { text: 'new words' })).toBe('new words');
});

test('one that refuses its hello is tried again', async () => {
  const mcp = startMcp({ odd: odd('--refuse') });
  expect((await mcp.notReached('odd', 2)).reason).toContain('not today');
});
