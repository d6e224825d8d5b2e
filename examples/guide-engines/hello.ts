import { createApp, ExtensibleAPIFactory } from '@llmgine/api';
import { greetingEngine } from './greeting-engine.ts';

const apiFactory = new ExtensibleAPIFactory().registerEngine(greetingEngine);
const app = await createApp({ apiFactory });
const { url } = await app.listen();
console.log(`Hello on ${url}`);
