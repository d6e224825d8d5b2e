import { ApiError } from '@llmgine/protocol';
import type { Quota } from './rate-limiter.ts';

/** A caller was too fast. Its answer says by how much. */
export class RateLimited extends ApiError {
  readonly quota: Quota;

  constructor(message: string, { quota, retryAfter }: { quota: Quota; retryAfter: number }) {
    super('RATE_LIMITED', message, { retryAfter });
    this.name = 'RateLimited';
    this.quota = quota;
  }
}

/** The header fields of draft-ietf-httpapi-ratelimit-headers-11. */
export function rateLimitHeaders({ policy, limit, window, remaining, reset }: Quota): Record<string, string> {
  const name = JSON.stringify(policy);
  return {
    'ratelimit-policy': `${name};q=${limit};w=${window}`,
    ratelimit: `${name};r=${remaining};t=${reset}`,
  };
}
