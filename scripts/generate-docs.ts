/** Writes the reference pages that are made from code. With `--check` it writes nothing and fails when one is out of date. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { CLOSE_CODE_MEANINGS, CLOSE_CODES, ERRORS, type ErrorDefinition } from '@llmgine/protocol';
import { type ConfigKey, configSchema, envName } from '../packages/server/src/config.ts';

const ROOT = join(import.meta.dirname, '..');
const NOTE = '<!-- Made by `npm run docs`; change the code instead. -->';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const code = (value: unknown) => `\`${String(value)}\``;

function configurationPage(): string {
  const rows = (Object.keys(configSchema.shape) as ConfigKey[]).map((key) => {
    const schema = configSchema.shape[key];
    return [code(envName(key)), defaultText(schema.safeParse(undefined).data), schema.description ?? ''];
  });
  return `# Configuration

${NOTE}

Settings come, later ones winning, from their defaults, a JSON file (\`--config FILE\` or \`LLMGINE_API_CONFIG\`; names in
snake case without the prefix: \`max_sessions\`), the environment (a \`.env\` file in the working directory counts as its
lower layer), and code or command-line options. In code a name is in camel case: \`new APIConfig({ maxSessions: 50 })\`.
An empty variable is an unset one. A wrong value stops the start with one line that says what is allowed.

${table(['variable', 'default', 'what it does'], rows)}

Providers are configured by the variables that their own tools use, for example \`OPENAI_API_KEY\`; see [models](../guide/models.md).
`;
}

function defaultText(value: unknown): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '';
  return code(typeof value === 'object' ? JSON.stringify(value) : value);
}

function errorsPage(): string {
  const errors = Object.entries(ERRORS as Record<string, ErrorDefinition>).map(([name, error]) => [
    code(name),
    error.status === null ? '' : String(error.status),
    error.closeCode === null ? '' : String(error.closeCode),
    error.retryable ? 'yes' : 'no',
    error.message,
  ]);
  const closes = Object.values(CLOSE_CODES).map((closeCode) => {
    const { text, reconnect } = CLOSE_CODE_MEANINGS[closeCode];
    return [String(closeCode), text, reconnect ? 'yes' : 'no'];
  });
  return `# Errors

${NOTE}

One catalogue serves both transports. Over REST an error is \`application/problem+json\` (RFC 9457) with the code in
\`code\`; on WebSocket it is an \`error\` frame with the code in \`data.code\`. Codes without an HTTP status occur on WebSocket
or in the result of a run only. The message is what is said when there is nothing more precise to say.

${table(['code', 'HTTP status', 'closes with', 'retry can help', 'message'], errors)}

## WebSocket close codes

${table(['code', 'meaning', 'connecting again can help'], closes)}
`;
}

const pages: readonly (readonly [string, string])[] = [
  ['docs/reference/configuration.md', configurationPage()],
  ['docs/reference/errors.md', errorsPage()],
];

const check = process.argv.includes('--check');
for (const [name, text] of pages) {
  const file = join(ROOT, name);
  const current = await readFile(file, 'utf8').catch(() => '');
  if (current === text) continue;
  if (check) {
    console.error(`${relative(ROOT, file)} is out of date: run "npm run docs"`);
    process.exitCode = 1;
  } else {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    console.log(`wrote ${name}`);
  }
}
