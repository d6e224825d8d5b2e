import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Makes the comparison with `LLMGINE_API_KEY`. It takes the same time whatever is offered: both sides are hashed to one
 * length first. Only the digest is kept.
 */
export function createKeyCheck(key: string): (offered: string) => boolean {
  const expected = digest(key);
  return (offered) => timingSafeEqual(digest(offered), expected);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
