/** Copies the pictures that the guide shows from those that the browser tests have made. */
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const FROM = join(ROOT, 'artifacts/screenshots');
const TO = join(ROOT, 'docs/guide/images');
const PICTURES = {
  'console-conversation.png': 'console-conversation-light.png',
  'console-sessions.png': 'console-sessions-light.png',
  'console-timeline.png': 'console-timeline-light.png',
};
/** Bytes; who clones the repository pays for all of them. */
const MAX_SIZE = 200_000;

await mkdir(TO, { recursive: true });
for (const [name, source] of Object.entries(PICTURES)) {
  const path = join(FROM, source);
  const { size } = await stat(path);
  if (size > MAX_SIZE) throw new Error(`${source} has ${size} bytes, and may have ${MAX_SIZE}`);
  await copyFile(path, join(TO, name));
}
