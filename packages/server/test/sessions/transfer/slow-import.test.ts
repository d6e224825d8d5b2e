import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { startApp } from '../../../../../tests/helpers/app.ts';
import { madeUp, toText } from '../../../../../tests/helpers/exports.ts';

afterEach(() => void vi.useRealTimers());

const OWNER = { tenantId: 'tenant', ownerId: 'owner' };
const file = Buffer.from(toText(madeUp(1000)));

/** An import whose bytes come over so much time, for a service whose time is that of the test. */
async function takeOver(seconds: number): Promise<void> {
  const { app } = await startApp();
  vi.useFakeTimers({ toFake: ['Date'] });
  const incoming = app.services.transfers.import(OWNER);
  onTestFinished(() => incoming.abort());
  const pieces = 20;
  for (let count = 0; count < pieces; count++) {
    vi.setSystemTime(Date.now() + (seconds * 1000) / pieces);
    const size = Math.ceil(file.length / pieces);
    await incoming.write(file.subarray(count * size, (count + 1) * size));
  }
  await incoming.end();
}

test('an import may be slow for a minute, and no longer', async () => {
  await takeOver(60);
  vi.useRealTimers();

  await expect(takeOver(180)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: 'The import comes too slowly; send it again',
  });
});
