import { LlmgineClient } from '@llmgine/client';

/** What the server gave to the cookie of this page. A request that changes something shows it. */
let csrfToken: string | null = null;

export function keepCsrfToken(token: string | null): void {
  csrfToken = token;
}

export const client = new LlmgineClient({ url: window.location.origin, csrfToken: () => csrfToken });
