import type { Limits } from '@llmgine/protocol';
import type { ConfigValues } from '../config.ts';

/** What `welcome` and `/api/info` say that this server can do. */
export const CAPABILITIES: readonly string[] = [
  'streaming',
  'resume',
  'cancel',
  'on_conflict',
  'custom_events',
  'history',
  'requests',
  'audio',
];

export function limitsOf(config: ConfigValues): Limits {
  return {
    max_message_size: config.websocketMaxMessageSize,
    max_body_size: config.maxBodySize,
    max_audio_size: config.maxAudioSize,
    max_audio_duration: config.maxAudioDuration,
    max_unsent_bytes: config.websocketMaxBuffer,
    messages_per_second: config.websocketMessageRate,
    message_burst: config.websocketMessageBurst,
    heartbeat_interval: config.websocketHeartbeat,
    session_timeout: config.sessionTimeout,
    run_timeout: config.runTimeout,
  };
}
