/** Where the built files of the browser's side are, and what is said when they are not. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyReply } from 'fastify';
import type { HttpApp } from './types.ts';

/** The `dist` of a package that comes with the server; null when the package is not there. */
export function builtFolder(name: '@llmgine/client' | '@llmgine/console'): string | null {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'dist');
  } catch {
    return null;
  }
}

/** Routes in it may send files of the folder. It may be built later than the server is started. */
export async function withFiles(
  app: HttpApp,
  root: string,
  register: (scope: HttpApp) => void,
): Promise<void> {
  await app.register(async (scope: HttpApp) => {
    scope.decorate('defaultPermission', null);
    await scope.register(fastifyStatic, { root, serve: false, dotfiles: 'ignore', preCompressed: true });
    register(scope);
  });
}

const NOT_BUILT = (what: string, command: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Not built</title>
<h1>${what} is not built</h1>
<p>The server runs; only this part of it is missing. <code>npm start</code> builds it, and says in the terminal when that
fails. To build it by hand: <code>${command}</code>. Then load this page again.</p>
</html>
`;

export function sendNotBuilt(reply: FastifyReply, what: string, command: string): FastifyReply {
  return reply.code(503).type('text/html; charset=utf-8').send(NOT_BUILT(what, command));
}
