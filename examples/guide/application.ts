import { EngineConfiguration, ExtensibleAPIFactory } from '@llmgine/api';
import { z } from 'zod';
import { deliveryEngine, orderTool, scanTool } from './asking.ts';
import { reviewEngine } from './engine.ts';
import { OrderHandler } from './message.ts';
import { parrots } from './model.ts';
import { reports } from './router.ts';
import { stockTool } from './tool.ts';

export const visitors = new Set<string>();

export const apiFactory = new ExtensibleAPIFactory(new EngineConfiguration({ engineName: 'Shop' }))
  .registerEngine(reviewEngine)
  .registerEngine(deliveryEngine)
  .registerTool(stockTool)
  .registerTool(orderTool)
  .registerTool(scanTool)
  .registerModelProvider(parrots)
  .registerCustomHandler('order_request', OrderHandler)
  .registerEvent('custom:rated', z.object({ stars: z.int().min(1).max(5) }))
  .registerEvent('custom:ordered', z.object({ article: z.string(), pieces: z.int() }))
  .registerCustomRouter('/api/reports', reports)
  .on({
    onConnect: ({ sessionId }) => void visitors.add(sessionId),
    onSessionClosed: ({ sessionId }) => void visitors.delete(sessionId),
  });
