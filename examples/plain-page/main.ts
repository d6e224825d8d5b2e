import { createPageApp } from './app.ts';

const app = await createPageApp();
const { url } = await app.listen();
console.log(`A conversation on ${url}/chat`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void app.close());
