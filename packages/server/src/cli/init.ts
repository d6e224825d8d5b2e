/** `llmgine init`: asks what is not given, and makes a project. */
import { basename, resolve } from 'node:path';
import { cancel, confirm, intro, isCancel, outro, text } from '@clack/prompts';
import { ConfigError } from '../config.ts';
import { describeFailure, EXIT } from './exit.ts';
import { packageName, writeProject } from './project.ts';

/** As they come from the command line. */
export interface InitOptions {
  readonly name?: string;
  readonly exampleTests: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

interface Choices {
  readonly folder: string;
  readonly name: string;
  readonly tests: boolean;
}

/** Never rejects. */
export async function init(folder: string | undefined, options: InitOptions): Promise<number> {
  try {
    const asks = options.yes !== true && options.json !== true && process.stdin.isTTY && process.stdout.isTTY;
    const choices = asks ? await ask(folder, options) : choose(folder, options);
    if (choices === null) {
      cancel('Nothing was written.');
      return EXIT.CANCELLED;
    }
    const files = await writeProject(choices);
    report(choices, files, asks, options.json === true);
    return EXIT.OK;
  } catch (error) {
    const { line, exitCode } = describeFailure(error);
    process.stderr.write(`llmgine: ${line}\n`);
    return exitCode;
  }
}

function choose(folder = '.', { name, exampleTests }: InitOptions): Choices {
  return { folder, name: validName(name ?? nameOf(folder)), tests: exampleTests };
}

/** Null when somebody gave up. */
async function ask(given: string | undefined, options: InitOptions): Promise<Choices | null> {
  intro('A project that extends LLMgine');
  const folder =
    given ?? (await text({ message: 'Where?', placeholder: USUAL_FOLDER, defaultValue: USUAL_FOLDER }));
  if (isCancel(folder)) return null;
  const name =
    options.name ??
    (await text({
      message: 'What is the package called?',
      placeholder: nameOf(folder),
      defaultValue: nameOf(folder),
      // Nothing is what is proposed.
      validate: (value = '') => (value === '' || packageName(value) ? undefined : NAME_RULE),
    }));
  if (isCancel(name)) return null;
  const tests = options.exampleTests && (await confirm({ message: 'With tests?' }));
  if (isCancel(tests)) return null;
  return { folder, name: validName(name), tests };
}

const USUAL_FOLDER = './my-llmgine-project';
const NAME_RULE = 'must be small letters, digits, "-", "_" and ".", maybe after @scope/';

function validName(name: string): string {
  if (packageName(name)) return name;
  throw new ConfigError(`--name is ${JSON.stringify(name)}, but ${NAME_RULE}`);
}

/** What npm would take, from whatever the folder is called. */
function nameOf(folder: string): string {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '');
  return name === '' ? 'my-llmgine-project' : name;
}

/** As a shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w./@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function report(
  { folder, name, tests }: Choices,
  files: readonly string[],
  asked: boolean,
  json: boolean,
): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ folder: resolve(folder), name, files })}\n`);
    return;
  }
  const enter = resolve(folder) === process.cwd() ? [] : [`cd ${shellWord(folder)}`];
  const steps = [...enter, 'npm install', ...(tests ? ['npm test'] : []), 'npm start'].join(' && ');
  if (asked) outro(`${files.length} files written. Go on with: ${steps}`);
  else process.stdout.write(`${files.map((file) => `${file}\n`).join('')}\nGo on with: ${steps}\n`);
}
