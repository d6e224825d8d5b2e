import { ApiError } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { modelPromptSchema } from '../../src/engines/attachments.ts';
import { parseWith } from '../../src/validation.ts';

const PNG = Buffer.from('\x89PNG\r\n\x1a\n and so on', 'latin1').toString('base64');
const JPEG = Buffer.from('\xff\xd8\xff\xe0 and so on', 'latin1').toString('base64');
const WEBP = Buffer.from('RIFF\x10\0\0\0WEBPVP8 ', 'latin1').toString('base64');
const GIF = Buffer.from('GIF89a').toString('base64');
const TEXT = Buffer.from('Hello').toString('base64');

const parse = (attachment: object) =>
  parseWith(modelPromptSchema, { prompt: 'What is it?', attachments: [attachment] }, 'prompt', 'parameters');

test.each([
  { mime_type: 'image/png', data: PNG },
  { mime_type: 'image/jpeg', data: JPEG },
  { mime_type: 'image/webp', data: WEBP },
  { mime_type: 'IMAGE/GIF', data: GIF, name: 'a.gif' },
  { mime_type: 'text/plain; charset=utf-8', data: TEXT },
  { mime_type: 'application/vnd.oasis.opendocument.text', data: TEXT },
  { mime_type: 'image/png', url: 'https://example.com/a.png?size=2' },
  { mime_type: 'image/png', url: `data:image/png;base64,${PNG}` },
  { mime_type: 'text/plain', data: Buffer.alloc(5 * 1024 * 1024 - 2).toString('base64') },
])('an attachment may be %j', (attachment) => {
  expect(parse(attachment).attachments).toEqual([attachment]);
});

test.each<[object, string, RegExp]>([
  [{ mime_type: 'png', data: PNG }, 'mime_type', /media type/],
  [{ mime_type: 'image/png\r\nx-evil: 1', data: PNG }, 'mime_type', /media type/],
  [{ mime_type: 'image/svg+xml', data: TEXT }, 'mime_type', /image\/png, image\/jpeg/],
  [{ mime_type: 'image/png' }, 'data', /`data` or `url`/],
  [{ mime_type: 'image/png', data: PNG, url: 'https://example.com/a.png' }, 'url', /without `data`/],
  [{ mime_type: 'image/png', data: '' }, 'data', /empty/],
  [{ mime_type: 'image/png', data: 'not base64!' }, 'data', /base64/],
  [{ mime_type: 'text/plain', data: 'SGVsbG8' }, 'data', /base64/],
  [{ mime_type: 'image/png', data: JPEG }, 'data', /is no image\/png/],
  [{ mime_type: 'image/png', data: TEXT }, 'data', /is no image\/png/],
  [{ mime_type: 'text/plain', data: 'A'.repeat(7 * 1024 * 1024) }, 'data', /more than \d+ bytes/],
  [{ mime_type: 'image/png', url: 'http://example.com/a.png' }, 'url', /https/],
  [{ mime_type: 'image/png', url: 'file:///etc/passwd' }, 'url', /https/],
  [{ mime_type: 'image/png', url: 'nonsense' }, 'url', /https/],
  [{ mime_type: 'image/png', url: 'https://user:secret@example.com/' }, 'url', /credentials/],
  [{ mime_type: 'image/png', url: `https://example.com/${'a'.repeat(9000)}` }, 'url', /characters/],
  [{ mime_type: 'image/png', url: `data:image/jpeg;base64,${JPEG}` }, 'url', /another media type/],
  [{ mime_type: 'image/png', url: 'data:image/png;base64,SGVsbG8=' }, 'url', /is no image\/png/],
])('an attachment may not be %j (%s)', (attachment, field, message) => {
  const refusal = (() => {
    try {
      return parse(attachment);
    } catch (error) {
      return error;
    }
  })();
  expect(refusal).toBeInstanceOf(ApiError);
  expect(refusal).toMatchObject({
    code: 'VALIDATION_ERROR',
    errors: [{ path: `parameters.attachments.0.${field}`, message: expect.stringMatching(message) }],
  });
});
