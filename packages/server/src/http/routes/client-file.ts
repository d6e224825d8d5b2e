import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { builtFolder, sendNotBuilt, withFiles } from '../front-end-files.ts';
import type { HttpApp } from '../types.ts';

const FILE = 'browser.js';

/** `/client/llmgine.js`: the client for pages that are built with nothing. Its name stays, so it is asked for each time. */
export async function registerClientFile(
  app: HttpApp,
  folder: string | null = builtFolder('@llmgine/client'),
): Promise<void> {
  await withFiles(app, folder ?? import.meta.dirname, (scope) => {
    const route = { config: { public: true }, schema: { hide: true } };
    scope.get('/client/llmgine.js', route, async (_request, reply) => {
      if (folder === null || !existsSync(join(folder, FILE))) {
        return sendNotBuilt(reply, 'The client', 'npm run build -w @llmgine/client');
      }
      return reply.sendFile(FILE, { maxAge: 0 });
    });
    // By the name that the file itself says.
    scope.get(`/client/${FILE}.map`, route, async (_request, reply) =>
      reply.sendFile(`${FILE}.map`, { maxAge: 0 }),
    );
  });
}
