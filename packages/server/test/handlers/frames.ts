import { SERVER_FRAMES, type ServerFrameType } from '@llmgine/protocol';
import { expect } from 'vitest';
import type { TestSocket } from '../../../../tests/helpers/ws-client.ts';

/** Every frame is one of the protocol, and has nothing that its schema does not know. */
export function expectProtocol({ frames }: TestSocket): void {
  for (const { type, data } of frames) {
    expect(Object.keys(SERVER_FRAMES)).toContain(type);
    expect(SERVER_FRAMES[type as ServerFrameType].parse(data)).toEqual(data);
  }
}

/** What came in which order: the types of frames, and of events what they are. */
export function sequence({ frames }: TestSocket): string[] {
  return frames.map(({ type, data }) => (type === 'event' ? data.event_type : type));
}
