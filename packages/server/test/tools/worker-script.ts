/** A thread that does what it is told, also what no script should do. */
import { serve } from '../../src/tools/worker/serve.ts';

const did: string[] = [];

serve((input: string) => {
  const [word = '', text = ''] = input.split(' ', 2);
  did.push(text);
  switch (word) {
    case 'say':
      return text;
    case 'did':
      return did.filter((one) => one !== '').join(',');
    case 'environment':
      return JSON.stringify(process.env);
    case 'throw':
      throw new Error(text);
    case 'hang':
      for (;;);
    case 'exit':
      return process.exit(0);
    case 'fill':
      for (const rows: number[][] = []; ; ) rows.push(Array.from({ length: 1000 }, Math.random));
    default:
      throw new Error(`unknown: ${word}`);
  }
});
