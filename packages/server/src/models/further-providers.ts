/** Providers of the AI SDK whose packages are not ours: they work when somebody has installed them. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LanguageModelV4 } from '@ai-sdk/provider';
import { ApiError } from '@llmgine/protocol';
import type { ProviderEnvironment, ProviderVariable } from '../config.ts';
import { modelError } from './model-error.ts';

export interface FurtherProvider {
  readonly name: string;
  readonly package: string;
  /** The export of the package that makes the provider. */
  readonly factory: string;
  /** What the factory is given, by option. */
  readonly options: Readonly<Record<string, ProviderVariable>>;
  /** Without one of these it cannot work. */
  readonly needs: readonly ProviderVariable[];
  /** Default: what its package prefers. */
  readonly kind?: 'chat';
}

export const FURTHER_PROVIDERS: readonly FurtherProvider[] = [
  {
    name: 'amazon-bedrock',
    package: '@ai-sdk/amazon-bedrock',
    factory: 'createAmazonBedrock',
    options: {
      region: 'AWS_REGION',
      apiKey: 'AWS_BEARER_TOKEN_BEDROCK',
      accessKeyId: 'AWS_ACCESS_KEY_ID',
      secretAccessKey: 'AWS_SECRET_ACCESS_KEY',
      sessionToken: 'AWS_SESSION_TOKEN',
    },
    needs: ['AWS_REGION'],
  },
  {
    name: 'azure',
    package: '@ai-sdk/azure',
    factory: 'createAzure',
    options: { apiKey: 'AZURE_API_KEY', resourceName: 'AZURE_RESOURCE_NAME' },
    needs: ['AZURE_API_KEY', 'AZURE_RESOURCE_NAME'],
    kind: 'chat',
  },
  withKey('cerebras', 'createCerebras', 'CEREBRAS_API_KEY'),
  withKey('cohere', 'createCohere', 'COHERE_API_KEY'),
  withKey('deepinfra', 'createDeepInfra', 'DEEPINFRA_API_KEY'),
  withKey('deepseek', 'createDeepSeek', 'DEEPSEEK_API_KEY'),
  withKey('fireworks', 'createFireworks', 'FIREWORKS_API_KEY'),
  {
    name: 'google-vertex',
    package: '@ai-sdk/google-vertex',
    factory: 'createVertex',
    options: {
      project: 'GOOGLE_VERTEX_PROJECT',
      location: 'GOOGLE_VERTEX_LOCATION',
      apiKey: 'GOOGLE_VERTEX_API_KEY',
    },
    needs: ['GOOGLE_VERTEX_PROJECT'],
  },
  withKey('groq', 'createGroq', 'GROQ_API_KEY'),
  withKey('mistral', 'createMistral', 'MISTRAL_API_KEY'),
  withKey('moonshotai', 'createMoonshotAI', 'MOONSHOT_API_KEY'),
  withKey('perplexity', 'createPerplexity', 'PERPLEXITY_API_KEY'),
  withKey('togetherai', 'createTogetherAI', 'TOGETHER_API_KEY'),
  withKey('xai', 'createXai', 'XAI_API_KEY'),
];

function withKey(name: string, factory: string, key: ProviderVariable): FurtherProvider {
  return { name, package: `@ai-sdk/${name}`, factory, options: { apiKey: key }, needs: [key] };
}

/** Whether it can be used as it is. `directory` is the working directory of the server. */
export function isUsable(
  further: FurtherProvider,
  variables: ProviderEnvironment,
  directory: string,
): boolean {
  return (
    missingVariable(further, variables) === undefined && findPackage(further.package, directory) !== undefined
  );
}

/** Throws `VALIDATION_ERROR` that says what to install or to set. */
export function assertUsable(
  further: FurtherProvider,
  variables: ProviderEnvironment,
  directory: string,
): void {
  const { name } = further;
  if (findPackage(further.package, directory) === undefined) {
    throw new ApiError(
      'VALIDATION_ERROR',
      `${name} models need a package that is not installed: npm install ${further.package}`,
    );
  }
  const missing = missingVariable(further, variables);
  if (missing !== undefined) throw new ApiError('VALIDATION_ERROR', `${name} models need ${missing}`);
}

function missingVariable({ needs }: FurtherProvider, variables: ProviderEnvironment): string | undefined {
  return needs.find((name) => variables[name] === undefined);
}

type Factory = (
  options: object,
) => Readonly<Record<string, ((model: string) => LanguageModelV4) | undefined>>;

/** Loads the package, which is the first thing that runs any code of it. */
export async function loadModel(
  further: FurtherProvider,
  model: string,
  settings: { variables: ProviderEnvironment; fetch: typeof globalThis.fetch; directory: string },
): Promise<LanguageModelV4> {
  const { variables, fetch, directory } = settings;
  const file = findPackage(further.package, directory);
  if (file === undefined) throw modelError(`${further.package} is not installed any more`);
  const exported = (await import(pathToFileURL(entryOf(file)).href)) as Record<string, Factory | undefined>;
  const make = exported[further.factory];
  if (typeof make !== 'function') throw versionError(further);
  const given = Object.entries(further.options).flatMap(([option, variable]) =>
    variables[variable] === undefined ? [] : [[option, variables[variable]]],
  );
  const provider = make({ ...Object.fromEntries(given), fetch });
  const made = (further.kind === 'chat' ? provider.chat : provider.languageModel)?.(model);
  if (made?.specificationVersion !== 'v4') throw versionError(further);
  return made;
}

function versionError({ package: name }: FurtherProvider): Error {
  return modelError(`The installed version of ${name} does not fit: npm install ${name}@latest`);
}

/** The package.json, as the server sees it or as code in the directory does. */
function findPackage(name: string, directory: string): string | undefined {
  for (const from of [import.meta.url, pathToFileURL(join(directory, 'index.js')).href]) {
    try {
      const file = findPackageJSON(name, from);
      if (file !== undefined) return file;
    } catch {
      // Not there.
    }
  }
  return undefined;
}

/** `require` would look for the entry of another kind of module, and `import` knows no directory but our own. */
function entryOf(packageFile: string): string {
  const { exports, module, main } = JSON.parse(readFileSync(packageFile, 'utf8'));
  const entry = entryIn(exports?.['.'] ?? exports) ?? module ?? main ?? 'index.js';
  return join(dirname(packageFile), entry);
}

function entryIn(exported: unknown): string | undefined {
  if (typeof exported === 'string') return exported;
  if (typeof exported !== 'object' || exported === null) return undefined;
  const { node, import: esm, default: fallback } = exported as Record<string, unknown>;
  return entryIn(node) ?? entryIn(esm) ?? entryIn(fallback);
}
