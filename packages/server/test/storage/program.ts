/** A process that uses a storage until it is killed: `program.ts hold|append|open|work PATH`. Writes one line per step. */
import { writeSync } from 'node:fs';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { openSession, SESSION, work } from './work.ts';

// Synchronous: a line is out before the next step, so it is never lost when the process is killed.
const say = (line: string) => writeSync(1, `${line}\n`);
const [task, path = ''] = process.argv.slice(2);

try {
  const storage = await openSqliteStorage({ path, synchronous: 'normal' });
  say(`open ${storage.boot}`);
  if (task === 'open') await storage.close();
  // Something that keeps the process alive.
  else if (task === 'hold') setInterval(() => {}, 1 << 30);
  else if (task === 'work') await work(storage, say);
  else {
    await openSession(storage);
    for (;;) {
      const events = [{ eventType: 'custom:n', runId: null, payload: '{}', createdAt: 1 }];
      const [outcome] = await storage.append([{ session: SESSION, events }]);
      say(outcome?.ok ? String(outcome.lastSeq) : 'refused');
    }
  }
} catch (error) {
  const { name, message } = error as Error;
  say(`${name}: ${message}`);
}
