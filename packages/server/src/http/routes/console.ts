import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Services } from '../../services.ts';
import { builtFolder, sendNotBuilt, withFiles } from '../front-end-files.ts';
import type { HttpApp } from '../types.ts';

const NONCE = '__CSP_NONCE__';
const YEAR_MS = 31_536_000_000;
const pathParams = z.object({ '*': z.string() });

/**
 * `/console/`: the page, and its files. Everybody may load them, since they hold nothing; what the page asks of the server
 * needs a credential as everything else.
 */
export async function registerConsole(
  app: HttpApp,
  { config }: Pick<Services, 'config'>,
  folder: string | null = builtFolder('@llmgine/console'),
): Promise<void> {
  if (!config.values.console) return;
  await withFiles(app, folder ?? import.meta.dirname, (scope) => {
    const route = { config: { public: true }, schema: { hide: true } };
    scope.get('/console', route, async ({ url }, reply) => {
      const [path = '', query] = url.split('?', 2);
      // What the page asks for is relative to a folder; the router takes both for the same.
      if (path.endsWith('/')) return sendPage(reply, folder);
      return reply.redirect(query === undefined ? '/console/' : `/console/?${query}`, 308);
    });
    scope.get(
      '/console/*',
      { ...route, schema: { ...route.schema, params: pathParams } },
      async ({ params }, reply) => {
        const path = params['*'];
        // The addresses of the page itself name no file, but for the one that it is.
        const namesFile = path.includes('.', path.lastIndexOf('/') + 1) && path !== 'index.html';
        if (folder === null || !namesFile) return sendPage(reply, folder);
        // Their names are made of what is in them.
        const isHashed = path.startsWith('assets/');
        return reply.sendFile(path, isHashed ? { maxAge: YEAR_MS, immutable: true } : { maxAge: 0 });
      },
    );
  });
}

/** It is made for one reader: styles that it adds itself carry a word that only its policy knows. */
async function sendPage(reply: FastifyReply, folder: string | null): Promise<FastifyReply> {
  const page = folder === null ? null : await readPage(folder);
  if (page === null) return sendNotBuilt(reply, 'The console', 'npm run build -w @llmgine/console');
  const nonce = randomBytes(16).toString('base64');
  return (
    reply
      .header('content-security-policy', contentSecurityPolicy(nonce))
      // Without an ETag: a page that was kept would have the word of an answer before.
      .header('cache-control', 'no-cache')
      .type('text/html; charset=utf-8')
      .send(page.replaceAll(NONCE, nonce))
  );
}

async function readPage(folder: string): Promise<string | null> {
  try {
    return await readFile(join(folder, 'index.html'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Nothing from elsewhere, and nothing to elsewhere: neither a script of a hostile answer nor an image that tells. */
function contentSecurityPolicy(nonce: string): string {
  return (
    `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self' data: blob:; ` +
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
  );
}
