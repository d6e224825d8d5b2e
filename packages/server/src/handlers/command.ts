import { CLIENT_FRAMES, type ClientFrameData } from '@llmgine/protocol';
import { defineHandler, type HandlerContext } from './types.ts';

export const commandHandler = defineHandler({
  type: 'command',
  schema: CLIENT_FRAMES.command,
  permission: 'runs:write',
  // Accepting the command touches the session in the same transaction.
  touches: false,
  async handle(data, context) {
    await startCommand(data, context);
    return undefined;
  },
});

/** Starts the run of a command, whose result the connection gets. */
export async function startCommand(
  data: ClientFrameData<'command'>,
  { connection, principal, services, messageId, loadSession, reply, signal, logger }: HandlerContext,
): Promise<void> {
  services.live.remember(principal);
  connection.acceptServerFrames();
  const session = await loadSession();
  await services.runs.start(session, data, (accepted, { attached }) => {
    logger.info({ run_id: accepted.run_id, message_id: messageId, attached }, 'command accepted');
    // The run goes on, but this message had its answer: it took too long.
    if (signal.aborted) return;
    // Before anyone sees the first event of the run, so that its events never precede this reply.
    reply('command_accepted', accepted);
    connection.events.follow(accepted, { messageId, visible: data.stream, attached });
  });
}

export const cancelHandler = defineHandler({
  type: 'cancel',
  schema: CLIENT_FRAMES.cancel,
  permission: 'runs:write',
  unordered: true,
  touches: true,
  handle: async (data, { services, session }) => ({
    type: 'cancelled',
    data: await services.runs.cancel(session, data.run_id),
  }),
});
