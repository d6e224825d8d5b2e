import type { Session } from '@llmgine/client';

export function approveEverything(session: Session): () => void {
  return session.on('input_requested', async ({ payload }) => {
    if (payload.kind !== 'approval') return;
    await session.answer(payload.request_id, { outcome: 'approved' });
  });
}
