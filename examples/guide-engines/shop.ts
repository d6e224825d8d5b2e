import { ExtensibleAPIFactory } from '@llmgine/api';
import { Bank } from './bank.ts';
import { billingEngine } from './billing-engine.ts';
import { greetingEngine } from './greeting-engine.ts';
import { letterEngine } from './letter-engine.ts';
import { addressTool, orderTool, photoTool, refundTool } from './tools.ts';

/** A new one for each application, so that a test can add its models. */
export const createShop = (bank = new Bank()) =>
  new ExtensibleAPIFactory()
    .registerEngine(greetingEngine)
    .registerEngine(letterEngine)
    .registerEngine(billingEngine(bank))
    .registerTool(orderTool)
    .registerTool(refundTool)
    .registerTool(photoTool)
    .registerTool(addressTool);
