#!/usr/bin/env node
/** The process edge: the only file that reads the arguments, and the only one that ends the process. */
import { runProgram } from './cli/program.ts';

process.exit(await runProgram(process.argv.slice(2)));
