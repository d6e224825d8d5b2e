/** What the entry of a server holds that nobody else may see. */

/** Shorter texts are settings rather than secrets. */
const MIN_SECRET = 8;
const NAME_OF_SECRET = /auth|credential|key|pass|secret|token/i;

/** Whether a variable or a parameter of this name holds a secret. */
export function isSecretName(name: string): boolean {
  return NAME_OF_SECRET.test(name);
}

export function withoutSecrets(text: string, secrets: readonly string[]): string {
  // The longest first: one may be a part of another.
  const known = secrets.filter(({ length }) => length >= MIN_SECRET).sort((a, b) => b.length - a.length);
  return known.reduce((rest, secret) => rest.replaceAll(secret, '[hidden]'), text);
}
