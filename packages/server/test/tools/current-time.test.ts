import { expect, test } from 'vitest';
import { currentTimeTool } from '../../src/tools/current-time.ts';
import type { ToolContext } from '../../src/tools/types.ts';

const context = {} as ToolContext;

test('tells the time in UTC and in a time zone', async () => {
  const before = Date.now();
  const utc = (await currentTimeTool.execute({}, context)) as Record<string, string>;
  const tokyo = (await currentTimeTool.execute({ time_zone: 'Asia/Tokyo' }, context)) as typeof utc;
  expect(Date.parse(utc.iso ?? '')).toBeGreaterThanOrEqual(before);
  expect(utc).toMatchObject({ time_zone: 'UTC', local: expect.stringContaining('UTC') });
  expect(tokyo).toMatchObject({ time_zone: 'Asia/Tokyo', local: expect.stringContaining('GMT+9') });
});

test('says that there is no such time zone', () => {
  expect(() => currentTimeTool.execute({ time_zone: 'Mars/Olympus' }, context)).toThrow('no time zone');
});
