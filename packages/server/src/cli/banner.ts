import { styleText } from 'node:util';

/** What people want to know when the server has started. Holds no secret. */
export interface BannerFacts {
  readonly title: string;
  readonly version: string;
  /** The model that answers, and how to change it. */
  readonly model: { readonly id: string; readonly hint: string };
  readonly storage: string;
  /** Who is let in, and how to change that. */
  readonly auth: string;
  /** Whether there is one. */
  readonly console?: boolean;
}

export interface BannerOptions {
  /** Where to reach it from the same machine: `http://localhost:8000`. */
  readonly url: string;
  readonly colors: boolean;
  /** The first call has to show it. */
  readonly needsKey: boolean;
}

/** The key itself is in the environment, not on the screen. */
const KEY_HEADER = ' -H "Authorization: Bearer $LLMGINE_API_KEY"';

/** What is printed once, when the server accepts connections. */
export function banner(facts: BannerFacts, { url, colors, needsKey }: BannerOptions): string {
  const style = (format: Parameters<typeof styleText>[0], text: string) =>
    colors ? styleText(format, text, { validateStream: false }) : text;
  const row = (name: string, value: string) => `  ${style('dim', name.padEnd(9))} ${value}`;
  return [
    '',
    `  ${style('bold', facts.title)} ${style('dim', facts.version)}`,
    '',
    ...(facts.console ? [row('Console', style('cyan', `${url}/console/`))] : []),
    row('REST', `${style('cyan', url)}  ${style('dim', `${url}/docs`)}`),
    row('WebSocket', style('cyan', `${url.replace(/^http/, 'ws')}/api/sessions/{session_id}/ws`)),
    row('Model', `${facts.model.id}  ${style('dim', facts.model.hint)}`),
    row('Storage', facts.storage),
    row('Access', facts.auth),
    '',
    `  ${style('dim', 'First call:')} curl -X POST ${url}/api/sessions${needsKey ? KEY_HEADER : ''}`,
    '',
    '',
  ].join('\n');
}
