/**
 * An MCP server over stdio that misbehaves as it is told, by its arguments and by its tools. It speaks the wire by hand:
 * no library would let it.
 */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

type Json = Record<string, unknown>;
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Json & { readonly name?: string; readonly arguments?: Json; readonly _meta?: Json };
}

const flags = new Set(process.argv.slice(2));
/** It is connected there as long as it lives. */
const peer = process.argv.find((arg) => arg.startsWith('--peer='))?.slice('--peer='.length);
const PAGE = 4;
const NAMES = [
  'echo',
  'die',
  'once',
  'wait',
  'cancelled',
  'huge',
  'env',
  'pid',
  'child',
  'add_tool',
  'remove_tool',
  'progress',
  'flood',
  'deaf',
  'mixed',
  'fail',
];
const names = new Set(NAMES);
/** Calls of `wait` that were cancelled. */
const cancelled: number[] = [];

function send(message: Json): void {
  if (flags.has('--modern') && typeof message.result === 'object') {
    message = {
      ...message,
      result: { resultType: 'complete', ttlMs: 0, cacheScope: 'private', ...message.result },
    };
  }
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

function toolOf(name: string): Json {
  return {
    name,
    description: `Does ${name}`,
    inputSchema: {
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      properties: { text: { type: 'string' }, size: { type: 'integer' } },
      ...(name === 'echo' ? { required: ['text'] } : {}),
    },
    ...(name === 'echo' || name === 'once' ? { annotations: { readOnlyHint: true } } : {}),
  };
}

function text(id: number, value: string): void {
  send({ id, result: { content: [{ type: 'text', text: value }] } });
}

function call(id: number, name: string, args: Json, token: unknown): void {
  const notify = (progress: number) =>
    send({
      method: 'notifications/progress',
      params: { progressToken: token, progress, message: `at ${progress}` },
    });
  const tools: Record<string, () => void> = {
    echo: () => text(id, String(args.text)),
    die: () => process.exit(3),
    // Never answers the first call that names this file.
    once: () => {
      if (existsSync(String(args.text))) return text(id, 'the second time');
      writeFileSync(String(args.text), '');
      notify(1);
    },
    // Never answers.
    wait: () => notify(1),
    cancelled: () => text(id, JSON.stringify(cancelled)),
    huge: () => text(id, 'x'.repeat(Number(args.size))),
    env: () => text(id, JSON.stringify(process.env)),
    pid: () => text(id, String(process.pid)),
    child: () => {
      // A grandchild that is there as long as its connection is.
      const program = `require('node:net').connect(${Number(args.size)}, '127.0.0.1').on('error', () => {}); setInterval(() => {}, 1e6)`;
      spawn(process.execPath, ['-e', program], { stdio: 'inherit' });
      text(id, 'started');
    },
    add_tool: () => {
      names.add(String(args.text));
      send({ method: 'notifications/tools/list_changed' });
      text(id, 'added');
    },
    remove_tool: () => {
      names.delete(String(args.text));
      send({ method: 'notifications/tools/list_changed' });
      text(id, 'removed');
    },
    progress: () => {
      for (let at = 0; at < Number(args.size); at++) notify(at);
      text(id, 'done');
    },
    flood: () => flood(),
    deaf: () => {
      process.stdin.pause();
      notify(1);
    },
    mixed: () =>
      send({
        id,
        result: {
          content: [
            { type: 'text', text: 'see' },
            { type: 'image', data: Buffer.alloc(3000).toString('base64'), mimeType: 'image/png' },
            { type: 'text', text: 'this' },
            { type: 'resource', resource: { uri: 'file:///a.txt', text: 'inside', mimeType: 'text/plain' } },
            {
              type: 'resource',
              resource: { uri: 'file:///b.bin', blob: Buffer.alloc(10).toString('base64') },
            },
          ],
        },
      }),
    fail: () => send({ id, result: { content: [{ type: 'text', text: 'no such file' }], isError: true } }),
  };
  const tool = names.has(name) ? tools[name] : undefined;
  if (tool) tool();
  else if (names.has(name)) text(id, `called ${name}`);
  else send({ id, error: { code: -32602, message: `no tool ${name}` } });
}

function flood(): void {
  const line = `${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x'.repeat(100) } })}\n`;
  const block = line.repeat(500);
  const more = () => {
    while (process.stdout.write(block));
    process.stdout.once('drain', more);
  };
  more();
}

function answer({ id, method, params = {} }: Message): void {
  if (method === 'notifications/cancelled') cancelled.push(Number(params.requestId));
  if (id === undefined) return;
  if (flags.has('--modern') && !params._meta) {
    send({ id, error: { code: -32601, message: `no method ${method}` } });
  } else if (flags.has('--modern') && method === 'server/discover') {
    const serverInfo = { name: 'odd', version: '2.0.0' };
    send({
      id,
      result: {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
        serverInfo,
        _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
      },
    });
  } else if (method === 'initialize') {
    if (flags.has('--hang')) return;
    if (flags.has('--refuse')) {
      send({ id, error: { code: -32603, message: 'not today' } });
      return;
    }
    const capabilities = flags.has('--no-tools') ? {} : { tools: { listChanged: true } };
    send({
      id,
      result: {
        protocolVersion: params.protocolVersion,
        capabilities,
        serverInfo: { name: 'odd', version: '1.2.3' },
      },
    });
    if (flags.has('--die-after-hello')) setImmediate(() => process.exit(7));
  } else if (method === 'tools/list') {
    const all = [...names].map(toolOf);
    const from = Number(params.cursor ?? 0);
    const next = from + PAGE < all.length ? { nextCursor: String(from + PAGE) } : {};
    send({ id, result: { tools: all.slice(from, from + PAGE), ...next } });
  } else if (method === 'tools/call') {
    call(id, String(params.name), params.arguments ?? {}, params._meta?.progressToken);
  } else {
    send({ id, error: { code: -32601, message: `no method ${method}` } });
  }
}

process.stderr.write(`odd server starts${process.env.TOKEN ?? ''}\n`);
if (peer !== undefined) {
  connect(Number(peer), '127.0.0.1')
    .on('error', () => {})
    .unref();
}
if (flags.has('--stubborn')) {
  process.on('SIGTERM', () => {});
  setInterval(() => {}, 1e6);
}
if (flags.has('--garbage')) {
  process.stdout.write('Welcome!\n{"half": \n[1, 2]\n{"jsonrpc":"2.0"}\n\u0000\u0001\n');
}
createInterface({ input: process.stdin }).on('line', (line) => answer(JSON.parse(line) as Message));
