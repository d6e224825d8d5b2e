import { type FilePart, fileText } from './conversation.ts';
import type { ModelRequest } from './types.ts';

/** Of UTF-8: tokenisers take about four letters of English for a token, and about one character of Chinese. */
const BYTES_PER_TOKEN = 4;
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
        tokens += fileTokens(part);
    }
  }
  return tokens;
}

function textTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}

/** A text is sent as what it says. */
function fileTokens(part: FilePart): number {
  const text = fileText(part);
  return text === undefined ? TOKENS_PER_FILE : textTokens(text);
}
