import type { ForkOrigin as ForkOriginView } from '@llmgine/protocol';
import type { ForkOrigin } from '../../storage/types.ts';

export function toForkOrigin({ sessionId, messageId }: ForkOrigin): ForkOriginView {
  return { session_id: sessionId, message_id: messageId };
}

export function fromForkOrigin({ session_id, message_id }: ForkOriginView): ForkOrigin {
  return { sessionId: session_id, messageId: message_id };
}
