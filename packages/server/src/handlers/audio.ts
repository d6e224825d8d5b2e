import { CLIENT_FRAMES } from '@llmgine/protocol';
import { demand } from '../security/permissions.ts';
import { toAudio } from '../sessions/files.ts';
import { startCommand } from './command.ts';
import { defineHandler } from './types.ts';

export const audioBeginHandler = defineHandler({
  type: 'audio_begin',
  schema: CLIENT_FRAMES.audio_begin,
  permission: 'sessions:write',
  touches: true,
  async handle(data, { connection, messageId, signal }) {
    await connection.audio.begin(data.mime_type, messageId, signal);
    return undefined;
  },
});

export const audioEndHandler = defineHandler({
  type: 'audio_end',
  schema: CLIENT_FRAMES.audio_end,
  permission: 'sessions:write',
  touches: true,
  async handle({ command, parameters, ...options }, context) {
    const { connection, principal, services, session, signal, reply } = context;
    if (command !== undefined) demand(principal, 'runs:write');
    const file = await connection.audio.end(signal);
    if (signal.aborted) {
      // Nobody was told of it, and nobody will be.
      await services.files.remove(session, file.fileId);
      return undefined;
    }
    reply('audio_accepted', toAudio(file));
    if (command === undefined) return undefined;
    const given = { ...parameters, file_id: file.fileId };
    await startCommand({ ...options, command, parameters: given }, context);
    return undefined;
  },
});
