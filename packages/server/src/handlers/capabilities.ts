import type { JsonObject } from '@llmgine/protocol';
import type { ConfigValues } from '../config.ts';

/** What `welcome` and `/api/info` say that this server can do. */
export const CAPABILITIES: readonly string[] = [
  'streaming',
  'resume',
  'cancel',
  'on_conflict',
  'custom_events',
  'history',
];

/** The limits that a client should know. Sizes in bytes, times in seconds; 0 = none. */
export function limitsOf(config: ConfigValues): JsonObject {
  return {
    max_message_size: config.websocketMaxMessageSize,
    max_body_size: config.maxBodySize,
    max_unsent_bytes: config.websocketMaxBuffer,
    messages_per_second: config.websocketMessageRate,
    message_burst: config.websocketMessageBurst,
    heartbeat_interval: config.websocketHeartbeat,
    session_timeout: config.sessionTimeout,
    run_timeout: config.runTimeout,
  };
}
