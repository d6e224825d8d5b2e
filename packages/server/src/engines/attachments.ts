/** What may be attached to a prompt of an engine that keeps or sends it as it is. */
import { filePartSchema, promptParametersSchema } from '@llmgine/protocol';
import { z } from 'zod';

/** Bytes of one file that travels in the message; what every provider takes. */
const MAX_BYTES = 5 * 1024 * 1024;
const MAX_URL = 8192;
const MIME_TYPE =
  /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}(?:\s*;[ -~]{0,200})?$/i;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const INLINE = /^data:([^,;]+);base64,/i;

/** How files of these types begin. Providers refuse a request with any other image, or with one that is none. */
const IMAGES: Readonly<Record<string, RegExp>> = {
  'image/png': /^\x89PNG/,
  'image/jpeg': /^\xff\xd8\xff/,
  'image/gif': /^GIF8/,
  'image/webp': /^RIFF[\s\S]{4}WEBP/,
};

interface Attachment {
  readonly mime_type: string;
  readonly data?: string | undefined;
  readonly url?: string | undefined;
}

/**
 * A file in base64, or an address from which the provider takes it. Checked before the command is accepted: in a
 * conversation it would be sent again with every later prompt, and refused each time.
 */
const attachmentSchema = filePartSchema.omit({ type: true }).superRefine((file, context) => {
  const complaint = complaintAbout(file);
  if (complaint) context.addIssue({ code: 'custom', path: [complaint.field], message: complaint.message });
});

/** The parameters of `prompt`, with attachments that can be sent to a model. */
export const modelPromptSchema = promptParametersSchema.extend({
  attachments: z.array(attachmentSchema).max(16).optional(),
});

interface Complaint {
  readonly field: 'mime_type' | 'data' | 'url';
  readonly message: string;
}

function complaintAbout({ mime_type: type, data, url }: Attachment): Complaint | undefined {
  if (!MIME_TYPE.test(type))
    return { field: 'mime_type', message: 'must be a media type such as "image/png"' };
  if (/^image\//i.test(type) && !(type.toLowerCase() in IMAGES)) {
    return { field: 'mime_type', message: `images must be one of: ${Object.keys(IMAGES).join(', ')}` };
  }
  if (data !== undefined && url !== undefined) return { field: 'url', message: 'goes without `data`' };
  if (data !== undefined) return dataComplaint('data', type, data);
  if (url === undefined) return { field: 'data', message: 'either `data` or `url` is needed' };
  return urlComplaint(type, url);
}

function urlComplaint(type: string, url: string): Complaint | undefined {
  const inline = INLINE.exec(url);
  if (inline) {
    return inline[1]?.toLowerCase() === type.toLowerCase()
      ? dataComplaint('url', type, url.slice(inline[0].length))
      : { field: 'url', message: 'has another media type than `mime_type`' };
  }
  const field = 'url';
  if (url.length > MAX_URL) return { field, message: `has more than ${MAX_URL} characters` };
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'https:')
    return { field, message: 'must begin with "https:" or "data:TYPE;base64,"' };
  // It is kept in the conversation, and sent to the provider.
  return parsed.username || parsed.password
    ? { field, message: 'must not have credentials in it' }
    : undefined;
}

function dataComplaint(field: 'data' | 'url', type: string, data: string): Complaint | undefined {
  if (data === '') return { field, message: 'is empty' };
  if (data.length % 4 !== 0 || !BASE64.test(data)) return { field, message: 'is not base64' };
  if ((data.length / 4) * 3 > MAX_BYTES) return { field, message: `has more than ${MAX_BYTES} bytes` };
  const beginning = IMAGES[type.toLowerCase()];
  if (beginning && !beginning.test(Buffer.from(data.slice(0, 24), 'base64').toString('latin1'))) {
    return { field, message: `is no ${type}` };
  }
  return undefined;
}
