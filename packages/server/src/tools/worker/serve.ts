import { parentPort } from 'node:worker_threads';

/** What a thread says to its owner: first that it is loaded, then one reply to each input. */
export type Reply<Output> = 'ready' | { readonly output: Output } | { readonly failure: string };

/** The inside of a `WorkerThread`: answers inputs, one after the other. What `answer` throws goes back as its message. */
export function serve<Input, Output>(answer: (input: Input) => Output): void {
  const say = (reply: Reply<Output>) => parentPort?.postMessage(reply);
  parentPort?.on('message', (input: Input) => {
    try {
      say({ output: answer(input) });
    } catch (error) {
      say({ failure: error instanceof Error ? error.message : String(error) });
    }
  });
  say('ready');
}
