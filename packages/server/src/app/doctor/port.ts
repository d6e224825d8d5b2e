import { once } from 'node:events';
import { createServer } from 'node:net';
import type { APIConfig } from '../../config.ts';
import { type Finding, ok, problem, reasonOf, warning } from './check.ts';

const ANSWER_TIMEOUT_MS = 2000;
const ELSEWHERE = 'choose another port with --port or LLMGINE_API_PORT, or stop what listens there';
const OTHER_HOST = 'choose another address with --host or LLMGINE_API_HOST';

/** Whether the port is free, and who answers there when it is not. `isServed`: whether a server has our data, if known. */
export async function checkPort({ values }: APIConfig, isServed: boolean | null): Promise<Finding> {
  const { host, port } = values;
  if (port === 0) return ok('a free one is taken at the start');
  const url = `http://${reachable(host)}:${port}`;
  const service = await ask(`${url}/health`);
  if (service?.service !== 'llmgine-api') {
    const finding = await tryToListen(host, port);
    // Somebody answers under another address of that name.
    const isTaken = finding.status === 'ok' && service !== undefined;
    return isTaken ? problem(`${port} is taken by another program`, ELSEWHERE) : finding;
  }
  const info = await ask(`${url}/api/info`, values.key);
  const version = typeof info?.server_version === 'string' ? ` ${info.server_version}` : '';
  const running = `${port}: a running llmgine${version} answers at ${url}`;
  return isServed === false ? warning(`${running}, but it has other data`, ELSEWHERE) : ok(running);
}

/** What answers there as JSON; null when it is something else, undefined when nobody answers. */
async function ask(url: string, key?: string): Promise<Record<string, unknown> | null | undefined> {
  try {
    const answer = await fetch(url, {
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      redirect: 'manual',
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    });
    const body: unknown = await answer.json().catch(() => null);
    return typeof body === 'object' ? (body as Record<string, unknown> | null) : null;
  } catch {
    return undefined;
  }
}

async function tryToListen(host: string, port: number): Promise<Finding> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return ok(`${port} is free`);
  } catch (error) {
    return cannotListen(error as NodeJS.ErrnoException, host, port);
  } finally {
    server.close();
  }
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): Finding {
  switch (error.code) {
    case 'EADDRINUSE':
      return problem(`${port} is taken by another program`, ELSEWHERE);
    case 'EACCES':
      return problem(
        `${port} needs more rights than this user has`,
        'choose one above 1023 with --port or LLMGINE_API_PORT',
      );
    case 'EADDRNOTAVAIL':
      return problem(`${host} is not an address of this machine`, OTHER_HOST);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return problem(`${host} is not the name of an address`, OTHER_HOST);
    default:
      return problem(`${host}:${port} cannot be used: ${reasonOf(error)}`, ELSEWHERE);
  }
}

function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
