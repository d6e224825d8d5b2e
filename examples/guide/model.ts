import type { ModelProvider } from '@llmgine/api';

/** The models `parrot:NAME`: each says what it heard. */
export const parrots: ModelProvider = {
  name: 'parrot',
  model: (name) => ({
    id: `parrot:${name}`,
    async stream(request, sink, signal) {
      const last = request.messages.at(-1);
      for (const part of last?.parts ?? []) {
        signal.throwIfAborted();
        if (part.type !== 'text') continue;
        if (!sink.text(`${name}: ${part.text}`)) await sink.drain();
      }
      return { finishReason: 'stop', usage: null };
    },
  }),
};
