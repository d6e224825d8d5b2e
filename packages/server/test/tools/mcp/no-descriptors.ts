/** Starts an MCP server when the process can open nothing more, and prints how that failed. */
import { closeSync, openSync } from 'node:fs';
import { StdioTransport } from '../../../src/tools/mcp/stdio-transport.ts';

const transport = () => new StdioTransport({ kind: 'stdio', command: 'cat', args: [], env: {} }, () => {});
const fine = transport();
await fine.start();
await fine.close();

const open: number[] = [];
try {
  for (;;) open.push(openSync('/dev/null', 'r'));
} catch {
  // That was the last one.
}
const failed = transport();
const reason = await failed.start().catch((error: Error) => error.message);
await failed.close();
for (const descriptor of open) closeSync(descriptor);
process.stdout.write(`${reason}; ${failed.reason}`);
