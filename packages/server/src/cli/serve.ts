/** `llmgine serve`: starts the server, says where it is, and stops it when the process is told to stop. */
import { constants } from 'node:os';
import { createApp } from '../app.ts';
import { APIConfig, type ConfigInput } from '../config.ts';
import { banner } from './banner.ts';
import { describeFailure, EXIT } from './exit.ts';
import { listenForSignals } from './signals.ts';

/** As they come from the command line; the configuration validates them. */
export interface ServeOptions {
  readonly port?: string;
  readonly host?: string;
  readonly config?: string;
  readonly dataDir?: string;
  readonly model?: string;
  readonly debug?: boolean;
  readonly logFormat?: string;
}

/**
 * Resolves to the exit code of the process. The first SIGTERM or SIGINT stops the server gracefully; a second one that
 * is no echo of it does not wait for that. Never rejects.
 */
export async function serve(options: ServeOptions): Promise<number> {
  const signals = listenForSignals();
  const { config: file, ...overrides } = options;
  let debug = options.debug ?? false;
  try {
    const config = new APIConfig(overrides as Partial<ConfigInput>, { file });
    debug = config.values.debug;
    return await Promise.race([
      live(config, signals.first),
      signals.second.then((signal) => 128 + constants.signals[signal]),
    ]);
  } catch (error) {
    const { line, exitCode } = describeFailure(error);
    process.stderr.write(`llmgine: ${line}\n`);
    if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return exitCode;
  }
}

async function live(config: APIConfig, stop: Promise<unknown>): Promise<number> {
  const app = await createApp({ config });
  // Some request's failure is no reason to end everybody's conversations; what is durable is in the log. That goes for
  // what an engine throws in a timer or in a listener of its own, too, where nobody else can catch it.
  const { logger } = app.services;
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
  process.on('uncaughtException', (error) => logger.error({ err: error }, 'uncaught exception'));
  const { url } = await app.listen();
  // On a terminal people read it; elsewhere standard output belongs to the log, which is one JSON object a line.
  const { isTTY } = process.stdout;
  const description = app.describe();
  (isTTY ? process.stdout : process.stderr).write(
    banner(description, {
      url,
      colors: isTTY && process.stdout.hasColors(),
      needsKey: description.needsCredential,
    }),
  );
  await stop;
  await app.close();
  return EXIT.OK;
}
