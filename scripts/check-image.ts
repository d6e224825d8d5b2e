/**
 * Builds what deploy/Dockerfile builds, without Docker: its COPY and RUN lines are carried out in folders, one a stage,
 * and its CMD is started as a user without rights, until its HEALTHCHECK is content. Then SIGTERM has to end it with 0.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, matchesGlob, relative, resolve } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const NOBODY = 65_534;

interface Stage {
  /** The folder that stands for `/`. */
  readonly root: string;
  workdir: string;
  readonly env: Record<string, string>;
  /** What the last instruction of this name said. */
  readonly said: Map<string, string>;
}

function instructions(dockerfile: string): (readonly [string, string])[] {
  return dockerfile
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return [name, rest] as const;
    });
}

const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

/** The last pattern that fits a path, or a folder it is in, decides. */
function isIgnored(path: string): boolean {
  const parts = path.split('/');
  const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  const last = ignored.findLast((line) =>
    prefixes.some((prefix) => matchesGlob(prefix, line.replace(/^!/, ''))),
  );
  return last !== undefined && !last.startsWith('!');
}

const folder = mkdtempSync(join(tmpdir(), 'llmgine-image-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
chmodSync(folder, 0o755);

/** Programs of the base image: Node, and a `chown` that does not need the user `node` to exist on this machine. */
const programs = join(folder, 'programs');
mkdirSync(programs);
symlinkSync(process.execPath, join(programs, 'node'));
writeFileSync(join(programs, 'chown'), '#!/bin/sh\n', { mode: 0o755 });
const PATH = `${programs}:${(process.env.PATH ?? '').replaceAll(/[^:]*node_modules[^:]*:/g, '')}`;
/** Building may need the machine's proxy and certificates, but nothing that `npm run` has set for this script. */
const machine = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));

const stages = new Map<string, Stage>();
let stage: Stage | undefined;

function current(): Stage {
  if (!stage) throw new Error('an instruction before FROM');
  return stage;
}

/** A path of the image as one of this machine. */
function inStage({ root, workdir }: Stage, path: string): string {
  return join(root, resolve(workdir, path));
}

const actions: Record<string, (rest: string) => void> = {
  FROM: (rest) => {
    const name = /\bAS (\S+)/i.exec(rest)?.[1] ?? 'final';
    stage = { root: join(folder, name), workdir: '/', env: {}, said: new Map() };
    mkdirSync(stage.root);
    stages.set(name, stage);
  },
  WORKDIR: (rest) => {
    current().workdir = rest;
    mkdirSync(inStage(current(), '.'), { recursive: true });
  },
  ENV: (rest) => {
    for (const [, name = '', value = ''] of rest.matchAll(/(\w+)=(\S+)/g)) current().env[name] = value;
  },
  COPY: (rest) => {
    const from = /--from=(\S+)/.exec(rest)?.[1];
    const paths = rest.split(/\s+/).filter((word) => !word.startsWith('--'));
    const target = paths.pop() ?? '';
    for (const path of paths) {
      const source = from ? join(stages.get(from)?.root ?? '', path) : join(ROOT, path);
      const filter = (file: string) => from !== undefined || !isIgnored(relative(ROOT, file));
      if (!existsSync(source) || !filter(source))
        throw new Error(`COPY ${path}: not in ${from ?? 'the context'}`);
      cpSync(source, join(inStage(current(), target), target.endsWith('/') ? path : ''), {
        recursive: true,
        verbatimSymlinks: true,
        filter,
      });
    }
  },
  RUN: (rest) => {
    const command = rest
      .replaceAll(/--mount=\S+\s*/g, '')
      .replaceAll(/(?<=\s)\/(?=\w)/g, `${current().root}/`);
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
      cwd: inStage(current(), '.'),
      env: { ...machine, PATH, ...current().env },
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`RUN ${rest}\n${stdout}${stderr}`);
  },
};

for (const [name, rest] of instructions(readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8'))) {
  if (name in actions) actions[name]?.(rest);
  else current().said.set(name, rest);
}

const image = current();
const user = image.said.get('USER') ?? 'root';
if (user === 'root') throw new Error('the image runs as root');
for (const tool of ['vitest', 'typescript', '@biomejs/biome']) {
  if (existsSync(inStage(image, `node_modules/${tool}`))) throw new Error(`the image holds ${tool}`);
}

const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
const dataDir = inStage(image, image.said.get('VOLUME') ?? '');
if (asNobody.uid) chownSync(dataDir, NOBODY, NOBODY);
const options = {
  cwd: inStage(image, '.'),
  env: { PATH, ...image.env, LLMGINE_API_DATA_DIR: dataDir, LLMGINE_API_PORT: String(await freePort()) },
  ...asNobody,
};
const [program = '', ...args] = JSON.parse(image.said.get('CMD') ?? '[]') as string[];
const server = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
process.on('exit', () => server.kill('SIGKILL'));

const output = await firstLogLine(server);
const healthcheck = /\bCMD (.*)$/.exec(image.said.get('HEALTHCHECK') ?? '')?.[1] ?? 'false';
const healthy = spawnSync('sh', ['-c', healthcheck], options).status === 0;
server.kill('SIGTERM');
const [code] = await once(server, 'close');
if (!healthy || code !== 0) {
  throw new Error(`${healthy ? 'healthy' : 'not healthy'}, exit code ${code}\n${output.join('')}`);
}
console.log('the image builds, starts without rights, is healthy and stops');

/** Resolves when the server has said that it listens, or has ended. Keeps what it says. */
async function firstLogLine({ stdout, stderr }: ChildProcess): Promise<string[]> {
  const said: string[] = [];
  await new Promise<void>((listening) => {
    for (const stream of [stdout, stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said.push(text);
        if (text.includes('"listening"')) listening();
      });
    }
    stdout?.on('close', listening);
  });
  return said;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0);
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
