import { createTranslationApp } from './app.ts';

const app = await createTranslationApp({ title: 'Translation API' });
const { url } = await app.listen();
console.log(`Translations on ${url}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void app.close());
