/** `llmgine audit`: reads the audit log beside a running server, and checks that nobody has changed it. */
import { once } from 'node:events';
import {
  type AuditVerdict,
  exportAudit,
  readAuditHead,
  verifyAuditFile,
  verifyStoredAudit,
} from '../app/audit.ts';
import { APIConfig, ConfigError, type ConfigInput } from '../config.ts';
import { describeFailure, EXIT } from './exit.ts';

/** As they come from the command line. */
export interface AuditOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

export interface VerifyOptions extends AuditOptions {
  readonly head?: string;
}

const HASH = /^[0-9a-f]{64}$/i;

/** Resolves to 0 when the log, or the export in `file`, is whole. Never rejects. */
export function auditVerify(file: string | undefined, options: VerifyOptions): Promise<number> {
  return run(async () => {
    const { head } = options;
    if (head !== undefined && !HASH.test(head))
      throw new ConfigError('--head is a hash of 64 hexadecimal digits');
    const verdict =
      file === undefined
        ? await verifyStoredAudit(configOf(options), head)
        : await verifyAuditFile(file, head);
    if (options.json === true) {
      process.stdout.write(`${JSON.stringify(verdict)}\n`);
      return verdict.ok ? EXIT.OK : EXIT.FAILED;
    }
    if (!verdict.ok) {
      process.stderr.write(`llmgine: the audit log is not whole: ${verdict.problem}\n`);
      return EXIT.FAILED;
    }
    process.stdout.write(`${describeWhole(verdict)}\n`);
    return EXIT.OK;
  });
}

/** Prints the number and the hash of the newest entry, to be kept elsewhere. */
export function auditHead(options: AuditOptions): Promise<number> {
  return run(async () => {
    const { number, hash } = await readAuditHead(configOf(options));
    process.stdout.write(
      options.json === true ? `${JSON.stringify({ number, hash })}\n` : `${number} ${hash}\n`,
    );
    return EXIT.OK;
  });
}

/** Prints all entries with their hashes, one JSON object a line. */
export function auditExport(options: AuditOptions): Promise<number> {
  return run(async () => {
    await exportAudit(configOf(options), async (line) => {
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
    });
    // Exiting does not wait for a pipe.
    await new Promise((resolve) => process.stdout.write('', resolve));
    return EXIT.OK;
  });
}

function configOf({ config: file, dataDir }: AuditOptions): APIConfig {
  const input: Partial<ConfigInput> = dataDir === undefined ? {} : { dataDir };
  return new APIConfig(input, { file });
}

function describeWhole({ head, known }: Extract<AuditVerdict, { ok: true }>): string {
  const entries = `${head.number} ${head.number === 1 ? 'entry' : 'entries'}`;
  const since = known === null ? '' : `; ${head.number - known.number} since the known head`;
  return `the audit log is whole: ${entries}, head ${head.hash}${since}`;
}

async function run(work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    const { line, exitCode } = describeFailure(error);
    process.stderr.write(`llmgine: ${line}\n`);
    return exitCode;
  }
}
