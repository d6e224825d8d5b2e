import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

function inUse(): number {
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** How many bytes more are in use after the work. */
export async function growth(work: () => Promise<void>): Promise<number> {
  const before = inUse();
  await work();
  return inUse() - before;
}
