/** What the parts of one application share. `app.ts` builds it; handlers, WebSocket and HTTP take what they need. */
import type { Logger } from 'pino';
import type { Cluster } from './cluster/types.ts';
import type { APIConfig } from './config.ts';
import type { EngineService } from './engines/service.ts';
import type { MessageTypes } from './handlers/registry.ts';
import type { Models } from './models/registry.ts';
import type { Metrics } from './observability/metrics.ts';
import type { RequestService } from './runs/requests.ts';
import type { RunService } from './runs/service.ts';
import type { AuditLog } from './security/audit/log.ts';
import type { Authenticator } from './security/authenticate.ts';
import type { BrowserSessions } from './security/browser-sessions/service.ts';
import type { KeyService } from './security/keys/service.ts';
import type { KeyVerifier } from './security/keys/verifier.ts';
import type { Limits } from './security/limits/limits.ts';
import type { LiveCredentials } from './security/live-credentials.ts';
import type { Tickets } from './security/tickets.ts';
import type { FileService } from './sessions/files.ts';
import type { SessionLog } from './sessions/log.ts';
import type { SessionService } from './sessions/service.ts';
import type { TransferService } from './sessions/transfer/service.ts';
import type { Storage } from './storage/types.ts';
import type { McpServers } from './tools/mcp/servers.ts';
import type { ToolRegistry } from './tools/registry.ts';

export interface Services {
  readonly config: APIConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly authenticate: Authenticator;
  readonly audit: AuditLog;
  readonly limits: Limits;
  readonly keys: { readonly service: KeyService; readonly verifier: KeyVerifier };
  readonly browserSessions: BrowserSessions;
  readonly live: Pick<LiveCredentials, 'add' | 'delete' | 'replace' | 'remember'>;
  readonly tickets: Pick<Tickets, 'issue'>;
  readonly storage: Storage;
  readonly cluster: Cluster;
  readonly log: SessionLog;
  readonly sessions: SessionService;
  readonly files: FileService;
  readonly transfers: TransferService;
  readonly engines: EngineService;
  readonly runs: RunService;
  readonly requests: RequestService;
  readonly tools: ToolRegistry;
  readonly mcp: Pick<McpServers, 'status'>;
  readonly models: Pick<Models, 'resolve' | 'defaultModel' | 'providers'>;
  readonly messages: MessageTypes;
  /** What the extension calls itself, or null. */
  readonly engineName: string | null;
  readonly lifecycle: { draining: boolean; readonly startedAt: number };
}
