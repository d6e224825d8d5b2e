/** A wrong configuration. The message is one line for whoever starts the server; it holds no secret. */
export class ConfigError extends Error {
  /** What else is wrong, one line each. */
  readonly further: readonly string[];

  constructor(message: string, further: readonly string[] = []) {
    super(message);
    this.name = 'ConfigError';
    this.further = further;
  }
}
