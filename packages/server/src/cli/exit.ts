import { ApiError } from '@llmgine/protocol';
import { ConfigError } from '../config.ts';

export const EXIT = {
  OK: 0,
  /** The server could not start, or what was asked for failed. */
  FAILED: 1,
  /** Wrong arguments or a wrong configuration. */
  USAGE: 2,
  /** No server answers. */
  UNREACHABLE: 3,
  /** A run waits for somebody to answer, and nobody can here. */
  WAITING: 4,
  /** A run was cancelled, or somebody gave up: as shells say it of a program that Ctrl-C has ended. */
  CANCELLED: 130,
} as const;

/** One readable line for people, and the exit code that goes with it. */
export function describeFailure(error: unknown): { readonly line: string; readonly exitCode: number } {
  if (error instanceof ConfigError || (error instanceof ApiError && error.code === 'VALIDATION_ERROR'))
    return { line: error.message, exitCode: EXIT.USAGE };
  if (!(error instanceof Error)) return { line: String(error), exitCode: EXIT.FAILED };
  return { line: listenFailure(error) ?? firstLine(error.message), exitCode: EXIT.FAILED };
}

function listenFailure(
  error: NodeJS.ErrnoException & { address?: string; hostname?: string; port?: number },
): string | undefined {
  const { code, address, hostname, port } = error;
  if (code === 'EADDRINUSE')
    return `port ${port} is taken by another program; choose one with --port or LLMGINE_API_PORT`;
  if (code === 'EACCES' && port !== undefined)
    return `port ${port} needs more rights than this user has; choose one above 1023 with --port`;
  if (code === 'EADDRNOTAVAIL')
    return `${address} is not an address of this machine; choose one with --host or LLMGINE_API_HOST`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `${hostname} is not the name of an address; choose another with --host or LLMGINE_API_HOST`;
  return undefined;
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] || 'unknown error';
}
