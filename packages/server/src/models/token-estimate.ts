import type { ModelRequest } from './types.ts';

/** Most tokenisers take about four characters of English for a token; other languages and code take fewer. */
const CHARACTERS_PER_TOKEN = 4;
/** What providers count for an image of usual size, or for a page of a document. */
const TOKENS_PER_FILE = 1500;
/** Role and separators. */
const TOKENS_PER_MESSAGE = 4;

type Turn = ModelRequest['messages'][number];

/** About how many tokens a model reads: for budgets and windows, where being near is enough. */
export function estimateTokens({ system = '', messages, tools = [] }: ModelRequest): number {
  let tokens = textTokens(system);
  for (const message of messages) tokens += messageTokens(message);
  for (const tool of tools) tokens += textTokens(JSON.stringify(tool));
  return tokens;
}

export function messageTokens({ parts }: Turn): number {
  let tokens = TOKENS_PER_MESSAGE;
  for (const part of parts) {
    switch (part.type) {
      case 'text':
      case 'reasoning':
        tokens += textTokens(part.text);
        break;
      case 'tool_call':
        tokens += textTokens(part.tool_name) + textTokens(JSON.stringify(part.arguments));
        break;
      case 'tool_result':
        tokens += textTokens(JSON.stringify(part.result));
        break;
      case 'file':
        tokens += TOKENS_PER_FILE;
    }
  }
  return tokens;
}

function textTokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}
