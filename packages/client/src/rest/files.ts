import type { AudioAccepted, FileInfo } from '@llmgine/protocol/wire';
import { type CallOptions, type ChangeOptions, once, sessionPath } from './sessions.ts';
import type { Transport } from './transport.ts';

/** The files of sessions. Every method rejects with `LlmgineError`. */
export class Files {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Takes a recording in one piece; commands get its `file_id` as a parameter. */
  upload(
    sessionId: string,
    recording: NonNullable<RequestInit['body']>,
    mimeType: string,
    options: ChangeOptions = {},
  ): Promise<AudioAccepted> {
    const content = { type: mimeType, body: recording };
    const path = `${sessionPath(sessionId)}/audio`;
    return this.#transport.json('POST', path, { content, timeoutMs: 0, ...once(options) });
  }

  get(sessionId: string, fileId: string, options: CallOptions = {}): Promise<FileInfo> {
    return this.#transport.json('GET', filePath(sessionId, fileId), options);
  }

  async content(sessionId: string, fileId: string, options: CallOptions = {}): Promise<Blob> {
    const headers = { accept: '*/*' };
    const path = `${filePath(sessionId, fileId)}/content`;
    return (await this.#transport.response('GET', path, { ...options, headers })).blob();
  }

  delete(sessionId: string, fileId: string, options: ChangeOptions = {}): Promise<{ file_id: string }> {
    return this.#transport.json('DELETE', filePath(sessionId, fileId), once(options));
  }
}

function filePath(sessionId: string, fileId: string): string {
  return `${sessionPath(sessionId)}/files/${encodeURIComponent(fileId)}`;
}
