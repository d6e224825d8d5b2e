import type { Attachment as Sent } from '@llmgine/client';

export type Attachment = Sent & { readonly id: string; readonly name: string; readonly size: number };

export const IMAGE_TYPES: readonly string[] = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'];
const MAX_FILES = 16;
const MAX_BYTES = 5 * 1024 * 1024;

export interface Attached {
  readonly attachments: readonly Attachment[];
  /** What was not taken, and why. */
  readonly complaints: readonly string[];
}

/** With more files, as far as models take them. */
export async function attach(present: readonly Attachment[], files: readonly File[]): Promise<Attached> {
  const attachments = [...present];
  const complaints: string[] = [];
  for (const file of files) {
    if (!IMAGE_TYPES.includes(file.type))
      complaints.push(`${file.name} is not a PNG, JPEG, WebP or GIF image`);
    else if (file.size > MAX_BYTES) complaints.push(`${file.name} is larger than 5 MB`);
    else if (attachments.length >= MAX_FILES) complaints.push(`Only ${MAX_FILES} images go with one message`);
    else attachments.push(await read(file));
  }
  return { attachments, complaints };
}

async function read(file: File): Promise<Attachment> {
  const id = crypto.getRandomValues(new Uint32Array(2)).join('-');
  return { id, mime_type: file.type, name: file.name, size: file.size, data: await base64(file) };
}

function base64(file: File): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const reader = new FileReader();
  reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ''));
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(file);
  return promise;
}

/** As the command takes them. */
export function toSent(attachments: readonly Attachment[]): readonly Sent[] {
  return attachments.map(({ mime_type, name, data }) => ({
    mime_type,
    name,
    ...(data === undefined ? {} : { data }),
  }));
}
