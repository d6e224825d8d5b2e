import { createApp, defineMessage, ExtensibleAPIFactory, say } from '@llmgine/api';
import { z } from 'zod';

class Greet extends defineMessage('greet', z.object({ name: z.string() })) {}
class Greeted extends defineMessage('greeted', z.object({ text: z.string() })) {}

const apiFactory = new ExtensibleAPIFactory()
  .registerMessage(Greet, ({ data }) => new Greeted({ text: `Hello, ${data.name}` }), { response: Greeted })
  .registerEngine({
    type: 'EchoEngine',
    description: 'Says what it hears',
    config: z.object({ loud: z.boolean().default(false) }),
    create: (config) => ({
      async run(context) {
        const { prompt } = context.parameters;
        const text = config.loud ? prompt.toUpperCase() : prompt;
        await say(context, text);
        return { text };
      },
    }),
  });

const app = await createApp({ config: { title: 'My API' }, apiFactory });
const { url } = await app.listen();
console.log(`My API on ${url}`);
