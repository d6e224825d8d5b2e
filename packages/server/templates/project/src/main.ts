import { createApp } from '@llmgine/api';
import { createFactory } from './application.ts';

try {
  const app = await createApp({ config: { title: 'my-llmgine-project' }, apiFactory: createFactory() });
  const { url } = await app.listen();
  console.log(`my-llmgine-project on ${url}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close());
} catch (error) {
  // A wrong setting, or a port that is taken: what is wrong is in the message, and the stack says no more.
  console.error(`my-llmgine-project: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
