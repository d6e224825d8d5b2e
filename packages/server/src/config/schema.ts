import { z } from 'zod';
import { list, matching, object, oneOf, origins, seconds, text, truth, whole } from './fields.ts';
import { MODEL_NAMES } from './model-names.ts';

const DAY = 86_400;
const GIB = 1_073_741_824;

/**
 * Every setting. The name in code is camelCase; in the environment it is `LLMGINE_API_` and upper snake case, in the
 * file snake case.
 */
export const configSchema = z.object({
  title: text(200).default('LLMgine API').describe('API title'),
  version: text(100).default('1.0.0').describe('Version of your API, shown in `/` and `/openapi.json`'),
  host: text(255).default('0.0.0.0').describe('Host to bind to'),
  port: whole(0, 65_535).default(8000).describe('Port to bind to; 0 takes a free one'),
  debug: truth().default(false).describe('Details in errors and logs, never secrets'),
  maxSessions: whole(1, 100_000_000).default(100).describe('Maximum concurrent sessions'),
  sessionTimeout: seconds(0, 10 * 365 * DAY)
    .default(3600)
    .describe('Seconds untouched after which a session expires; 0 = never'),
  sessionIdleTimeout: seconds(0, 10 * 365 * DAY)
    .default(300)
    .describe('Seconds untouched after which a session is idle'),

  key: matching(/^[\x21-\x7e]{16,512}$/, '16 to 512 ASCII characters without spaces')
    .optional()
    .describe('Bootstrap API key; with it, every caller needs it'),
  auth: oneOf(['required', 'local', 'none'])
    .optional()
    .describe(
      '`required`: every caller needs a credential; `local`: not those on the same machine; `none`: nobody does. Default `required` with a key or JWT configured, else `local`',
    ),
  jwtSecret: matching(/^[\x21-\x7e]{32,512}$/, '32 to 512 ASCII characters without spaces')
    .optional()
    .describe('Secret of JWTs that are signed with HS256'),
  jwtJwksUrl: matching(/^https?:\/\/.+$/, 'a URL')
    .optional()
    .describe('Where the keys of JWTs are that are signed with RS, PS, ES or EdDSA'),
  jwtIssuer: text(500).optional().describe('`iss` that JWTs must have'),
  jwtAudience: text(500).optional().describe('`aud` that JWTs must have'),
  jwtTenantClaim: text(100)
    .default('tenant')
    .describe('Claim of JWTs that names the tenant; without it, `default`'),
  jwtRoleClaim: text(100).default('role').describe('Claim of JWTs that names the role; without it, `user`'),
  jwtLeeway: seconds(0, 60).default(30).describe('Seconds that clocks may differ'),
  trustedProxies: list()
    .default([])
    .describe('Addresses or ranges of proxies whose `X-Forwarded-For` counts, separated by commas'),
  browserSessionLifetime: seconds(1, 365 * DAY)
    .default(12 * 3600)
    .describe('Seconds after which a browser has to log in again'),
  browserSessionIdleTimeout: seconds(1, 365 * DAY)
    .default(3600)
    .describe('The same, for one that nobody has used meanwhile'),

  console: truth().default(true).describe('Serve the web console at `/console/`'),

  requestRate: whole(1, 1_000_000)
    .default(600)
    .describe('REST requests a minute, per caller (not for the same machine)'),
  addressRate: whole(1, 1_000_000)
    .default(1200)
    .describe('Requests and handshakes a minute, per address (not for the same machine)'),
  maxConnectionsPerCaller: whole(1, 1_000_000)
    .default(100)
    .describe('WebSocket connections and event streams of one caller'),
  maxConnectionsPerAddress: whole(1, 1_000_000)
    .default(200)
    .describe('WebSocket connections and event streams from one address'),
  maxSessionsPerCaller: whole(1, 100_000_000)
    .optional()
    .describe('Sessions of one caller; default: as many as fit'),
  maxRunsPerCaller: whole(1, 1_000_000).default(16).describe('Runs of one caller that execute at once'),
  corsOrigins: origins().default([]).describe('Browser origins besides local ones, separated by commas'),

  dataDir: text(1000).default('./data').describe('Folder of the embedded database; created when missing'),
  // As a URL, `sqlite://data/x.db` would name the host `data`; as a path it would be at the root. Neither is meant.
  databaseUrl: matching(
    /^(sqlite:(?!\/\/(?!\/)).+|:memory:|postgres(ql)?:\/\/.+)$/,
    '`postgres://USER:PASSWORD@HOST/DATABASE`, `sqlite:PATH`, with two slashes `sqlite:///ABSOLUTE/PATH`, or `:memory:`',
  )
    .optional()
    .describe('`postgres://…`, `sqlite:PATH` or `:memory:`; default `llmgine.db` in the data folder'),
  databasePool: whole(2, 1000).default(10).describe('Connections to Postgres at most'),
  databaseTimeout: seconds(0.1, 3600)
    .default(10)
    .describe('Seconds that a query of Postgres, or waiting for a connection, may take'),
  runLease: seconds(0.5, 600)
    .default(15)
    .describe('Seconds after which the runs of a process that is gone are taken over (Postgres)'),
  eventRetention: seconds(0, 100 * 365 * DAY)
    .default(7 * DAY)
    .describe('Seconds that events are kept; messages live as long as their session; 0 = as long'),
  eventCompaction: seconds(0, 365 * DAY)
    .default(60)
    .describe('Seconds after which the pieces of a completed message are dropped; the message stays'),
  sqliteSynchronous: oneOf(['normal', 'full']).default('normal').describe('`full` also survives power loss'),

  model: matching(
    MODEL_NAMES,
    '`provider:model`, for example openai-compatible:llama3, or several of them separated by commas',
  )
    .optional()
    .describe(
      'Default model as `provider:model`, or several, each to stand in for those before it; without it, what is configured or runs here, else `demo`',
    ),
  modelAdapter: oneOf(['lean', 'ai-sdk']).default('lean').describe('Adapter for the OpenAI-compatible wire'),
  modelRetries: whole(0, 20)
    .default(2)
    .describe('How often a call that a provider failed to answer is tried again, before its first token'),
  modelConnectTimeout: seconds(0.1, 600).default(10).describe('Seconds to connect to a model provider'),
  modelFirstTokenTimeout: seconds(0.1, 3600)
    .default(120)
    .describe('Seconds from a request to the first bytes of a model'),
  modelTokenTimeout: seconds(0.1, 3600).default(60).describe('Seconds a model may be silent after that'),
  prices: object()
    .default({})
    .describe(
      'What models cost per million tokens: `{"provider:model": {"input": 3, "output": 15}}`; see the guide',
    ),
  budgets: object()
    .default({})
    .describe('What runs, sessions and callers may use: `{"run": {"tokens": 100000}}`; see the guide'),

  transcriptionModel: matching(MODEL_NAMES, '`provider:model`, for example openai:whisper-1')
    .optional()
    .describe('Model that turns speech into text; without it, what is configured, else `demo`'),
  maxAudioSize: whole(1024, GIB).default(26_214_400).describe('Bytes of a recording'),
  maxAudioDuration: seconds(1, 7 * DAY)
    .default(4 * 3600)
    .describe('Seconds of a recording'),

  mcpServers: object()
    .default({})
    .describe('MCP servers whose tools models may call, as in `mcpServers` of other programs'),
  mcpConfig: text(1000).optional().describe('File with `{"mcpServers": {…}}`, besides'),

  maxConcurrentRuns: whole(1, 10_000).default(64).describe('Runs that execute at once'),
  maxQueuedRuns: whole(1, 10_000).default(100).describe('Runs of one session that wait for their turn'),
  runTimeout: seconds(0.1, 7 * DAY)
    .default(600)
    .describe('Seconds a run may take'),
  requestTimeout: seconds(0.1, 365 * DAY)
    .default(DAY)
    .describe('Seconds after which a request to people expires, where the engine says nothing else'),
  shutdownGrace: seconds(0, 3600)
    .default(10)
    .describe('Seconds that runs get to finish when the server stops'),

  maxImportSize: whole(1024, GIB)
    .default(67_108_864)
    .describe('Bytes of the export of a session that is imported'),
  maxBodySize: whole(1024, GIB).default(1_048_576).describe('Bytes of a REST body'),
  websocketMaxMessageSize: whole(1024, GIB)
    .default(1_048_576)
    .describe('Bytes of an inbound WebSocket message'),
  websocketMaxFragments: whole(1, 16_384).default(256).describe('Fragments of an inbound WebSocket message'),
  websocketMaxBuffer: whole(16_384, GIB)
    .default(1_048_576)
    .describe('Unsent bytes after which a connection is closed with 4009'),
  websocketStallTimeout: seconds(0.05, 3600)
    .default(10)
    .describe('Seconds without progress after which a full connection is closed with 4009'),
  websocketHeartbeat: seconds(0.05, 3600)
    .default(30)
    .describe('Seconds between pings; a peer that misses two is dead'),
  websocketMessageRate: whole(1, 1_000_000)
    .default(50)
    .describe('Inbound messages a second, per connection and per principal (not for the same machine)'),
  websocketMessageBurst: whole(1, 1_000_000)
    .default(100)
    .describe('Inbound messages at once before the rate counts'),
  handlerTimeout: seconds(0.05, 3600).default(30).describe('Seconds a message handler may take'),

  logLevel: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .optional()
    .describe('Default `info`, `debug` in debug mode'),
  logFormat: oneOf(['auto', 'json', 'pretty'])
    .default('auto')
    .describe('`auto`: pretty on a terminal, else JSON'),

  custom: object().default({}).describe('Settings of your own; handlers and engines see them'),
});

/** What a configuration holds. */
export type ConfigValues = z.output<typeof configSchema>;
/** What a configuration is made from. Values may be text, as in the environment. */
export type ConfigInput = z.input<typeof configSchema>;
export type ConfigKey = keyof ConfigValues;

export const CONFIG_KEYS = Object.keys(configSchema.shape) as readonly ConfigKey[];

/** Values that no error, log or answer may show. `custom` is whatever people put there, so it counts too. */
export const SECRET_KEYS: ReadonlySet<ConfigKey> = new Set([
  'key',
  'jwtSecret',
  'databaseUrl',
  'mcpServers',
  'custom',
]);

export const ENV_PREFIX = 'LLMGINE_API_';
/** The variable that names the file. */
export const FILE_VARIABLE = `${ENV_PREFIX}CONFIG`;

/** The setting's name in the environment. */
export function envName(key: ConfigKey): string {
  return ENV_PREFIX + fileName(key).toUpperCase();
}

/** The setting's name in the file. */
export function fileName(key: ConfigKey): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
