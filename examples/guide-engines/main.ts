import { createApp } from '@llmgine/api';
import { createShop } from './shop.ts';

const app = await createApp({ config: { title: 'Shop' }, apiFactory: createShop() });
const { url } = await app.listen();
console.log(`Shop on ${url}`);
