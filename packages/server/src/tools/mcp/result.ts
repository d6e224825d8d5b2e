/** What an MCP tool gave back, as the model gets it. */
import type { Json, JsonObject } from '@llmgine/protocol';
import type { CallToolResult } from '@modelcontextprotocol/client';

const MAX_ERROR = 10_000;
const MAX_LABEL = 500;

/** Throws an `Error` with the text of the server when the tool failed. */
export function resultOf(result: CallToolResult): Json {
  const content = result.content ?? [];
  const text = content.map(textOf).filter((part) => part !== undefined);
  if (result.isError === true) {
    const said = text.join('\n') || JSON.stringify(result.structuredContent) || 'The tool failed.';
    throw new Error(shortened(said, MAX_ERROR));
  }
  if (result.structuredContent !== undefined) return result.structuredContent as Json;
  const others = content.filter((block) => textOf(block) === undefined).map(noteOf);
  return others.length === 0 ? text.join('\n') : { text: text.join('\n'), content: others };
}

type Block = CallToolResult['content'][number];

function textOf(block: Block): string | undefined {
  if (block.type === 'text') return block.text;
  return block.type === 'resource' && 'text' in block.resource ? block.resource.text : undefined;
}

/** A picture in base64 would be thousands of tokens that mean nothing to the model. */
function noteOf(block: Block): JsonObject {
  if (block.type === 'image' || block.type === 'audio') {
    return { type: block.type, mime_type: label(block.mimeType), bytes: bytesOf(block.data) };
  }
  if (block.type === 'resource_link') {
    const { uri, name, description, mimeType, size } = block;
    return {
      type: block.type,
      uri: label(uri),
      name: label(name),
      ...(description === undefined ? {} : { description: label(description) }),
      ...(mimeType === undefined ? {} : { mime_type: label(mimeType) }),
      ...(size === undefined ? {} : { bytes: size }),
    };
  }
  if (block.type !== 'resource') return { type: label(String(block.type)) };
  const { uri, mimeType } = block.resource;
  return {
    type: block.type,
    uri: label(uri),
    ...(mimeType === undefined ? {} : { mime_type: label(mimeType) }),
    ...('blob' in block.resource ? { bytes: bytesOf(block.resource.blob) } : {}),
  };
}

function bytesOf(base64: string): number {
  return Buffer.byteLength(base64, 'base64');
}

function label(text: string): string {
  return shortened(text, MAX_LABEL);
}

export function shortened(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max)}…` : text;
}
