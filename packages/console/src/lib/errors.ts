import { LlmgineError } from '@llmgine/client';

/** What people are told when something did not work. */
export function errorText(error: unknown): string {
  if (error instanceof Error && error.message !== '') return error.message;
  return 'Something went wrong';
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof LlmgineError ? error.code : undefined;
}

/** The messages of the server by the fields they are about, dotted; `prefix` is cut off. */
export function fieldErrors(error: unknown, prefix = ''): Readonly<Record<string, string>> {
  if (!(error instanceof LlmgineError)) return {};
  const found: Record<string, string> = {};
  for (const { path, message } of error.fields ?? []) {
    found[prefix !== '' && path.startsWith(`${prefix}.`) ? path.slice(prefix.length + 1) : path] = message;
  }
  return found;
}
