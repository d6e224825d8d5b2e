import { z } from 'zod';

const whole = (description: string) => z.int().nonnegative().meta({ description });
const seconds = (description: string) => z.number().nonnegative().meta({ description });

/** What a client should know before it meets it. Sizes in bytes, times in seconds. */
export const limitsSchema = z
  .object({
    max_message_size: whole('bytes of a frame'),
    max_body_size: whole('bytes of a REST body'),
    max_audio_size: whole('bytes of a recording'),
    max_audio_duration: seconds('seconds of a recording'),
    max_unsent_bytes: whole('bytes that a client may leave unread before its connection is closed with 4009'),
    messages_per_second: whole('frames, per connection and per caller (not for the same machine)'),
    message_burst: whole('frames at once before the rate counts'),
    heartbeat_interval: seconds('seconds between pings; a peer that misses two is dead'),
    session_timeout: seconds('seconds untouched after which a session expires; 0 = never'),
    run_timeout: seconds('seconds that a run may take'),
  })
  .meta({ id: 'Limits' });
export type Limits = z.infer<typeof limitsSchema>;
