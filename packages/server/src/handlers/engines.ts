import { CLIENT_FRAMES } from '@llmgine/protocol';
import { defineHandler } from './types.ts';

export const getEngineTypesHandler = defineHandler({
  type: 'get_engine_types',
  schema: CLIENT_FRAMES.get_engine_types,
  permission: 'info:read',
  touches: false,
  handle: (_data, { services }) => ({ type: 'engine_types', data: { engine_types: services.engines.types } }),
});

export const linkEngineHandler = defineHandler({
  type: 'link_engine',
  schema: CLIENT_FRAMES.link_engine,
  permission: 'sessions:write',
  touches: true,
  handle: async (data, { services, loadSession, signal }) => ({
    type: 'engine_linked',
    data: await services.engines.link(await loadSession(), data, signal),
  }),
});

export const unlinkEngineHandler = defineHandler({
  type: 'unlink_engine',
  schema: CLIENT_FRAMES.unlink_engine,
  permission: 'sessions:write',
  touches: true,
  handle: async (_data, { services, loadSession }) => ({
    type: 'engine_unlinked',
    data: await services.engines.unlink(await loadSession()),
  }),
});
