/** Runs `llmgine` as people do: in a pseudo-terminal, or with pipes. */
import { type ChildProcessByStdio, spawn as spawnProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { spawn } from '@lydell/node-pty';
import { onTestFinished } from 'vitest';
import { tempDir } from '../../../../tests/helpers/app.ts';

const PROGRAM = ['--conditions=@llmgine/source', join(import.meta.dirname, '../../src/main.ts')];

export const KEYS = { enter: '\r', ctrlC: '\u0003', ctrlD: '\u0004' } as const;

export interface Terminal {
  type(keys: string): void;
  /** Resolves when the program has written this since the last call. Rejects when it ends before. */
  shows(wanted: string | RegExp): Promise<void>;
  /** All that it has written, without what steers the terminal. */
  readonly text: string;
  /** All that it has written, as it is. */
  readonly raw: string;
  readonly exited: Promise<number>;
  signal(name: NodeJS.Signals): void;
}

/** The program in a terminal of its own, ended with the test. */
export async function openTerminal(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Terminal> {
  const pty = spawn(process.execPath, [...PROGRAM, ...args], {
    cols: 200,
    rows: 40,
    cwd: env.PWD ?? (await tempDir()),
    env: { PATH: process.env.PATH, TERM: 'xterm-256color', ...env },
  });
  let raw = '';
  let place = 0;
  let ended: number | null = null;
  const changed = new Set<() => void>();
  const tell = () => {
    for (const listener of [...changed]) listener();
  };
  pty.onData((data) => {
    raw += data;
    tell();
  });
  const exited = new Promise<number>((resolve) => {
    pty.onExit(({ exitCode }) => {
      ended = exitCode;
      resolve(exitCode);
      tell();
    });
  });
  onTestFinished(() => {
    if (ended === null) pty.kill('SIGKILL');
  });
  const screen = () => stripVTControlCharacters(raw).replaceAll('\r', '');
  return {
    type: (keys) => pty.write(keys),
    get text() {
      return screen();
    },
    get raw() {
      return raw;
    },
    exited,
    signal: (name) => pty.kill(name),
    shows: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const rest = screen().slice(place);
          const match = typeof wanted === 'string' ? rest.indexOf(wanted) : rest.search(wanted);
          if (match >= 0) {
            const length = typeof wanted === 'string' ? wanted.length : (wanted.exec(rest)?.[0].length ?? 0);
            place += match + length;
            changed.delete(look);
            resolve();
          } else if (ended !== null) {
            changed.delete(look);
            reject(new Error(`ended with ${ended} without showing ${wanted}:\n${screen()}`));
          }
        };
        changed.add(look);
        look();
      }),
  };
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly input?: string;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

/** The program with pipes, to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
  return endOf(await startCli(args, options));
}

export async function startCli(
  args: readonly string[],
  { input = '', env = {}, cwd }: CliOptions = {},
): Promise<ChildProcessByStdio<Writable, Readable, Readable>> {
  const child = spawnProcess(process.execPath, [...PROGRAM, ...args], {
    cwd: cwd ?? (await tempDir()),
    env: { PATH: process.env.PATH, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  // Who ends early reads none of it.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return child;
}

export async function endOf(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<Ended> {
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, stdout, stderr };
}
