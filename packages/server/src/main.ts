#!/usr/bin/env node
/**
 * The process edge: the only file that reads the arguments, and the only one that ends the process. An older Node can
 * read this file and what it imports; everything else is loaded when the version is known to do.
 */
import { nodeTooOld } from './cli/node-version.ts';

const problem = nodeTooOld(process.versions.node);
if (problem !== undefined) {
  process.stderr.write(`llmgine: ${problem}\n`);
  process.exit(1);
}
const { runProgram } = await import('./cli/program.ts');
process.exit(await runProgram(process.argv.slice(2)));
