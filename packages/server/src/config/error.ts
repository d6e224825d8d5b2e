/** A wrong configuration. The message is one line for whoever starts the server; it holds no secret. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}
