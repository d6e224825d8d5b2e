/** A server with a page of its own, which uses the client that the server has anyway. */
import { readFile } from 'node:fs/promises';
import { type App, type AppOptions, type CustomRouter, createApp, ExtensibleAPIFactory } from '@llmgine/api';

const FILES = [
  ['', 'index.html', 'text/html; charset=utf-8'],
  ['chat.js', 'chat.js', 'text/javascript; charset=utf-8'],
] as const;

/** Answers are closed to browsers unless they say what a page may do. */
const POLICY =
  "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

const page: CustomRouter = (app) => {
  for (const [path, file, type] of FILES) {
    // Everybody may load the page; what it asks of the server needs a credential as everything else.
    const options = { config: { public: true }, schema: { hide: true } };
    app.get(`/${path}`, options, async (_request, reply) => {
      reply.headers({ 'content-type': type, 'content-security-policy': POLICY });
      return readFile(new URL(file, import.meta.url));
    });
  }
};

export async function createPageApp(config: AppOptions['config'] = {}): Promise<App> {
  return createApp({ config, apiFactory: new ExtensibleAPIFactory().registerCustomRouter('/chat', page) });
}
