import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StorageInUseError } from '../../src/storage/sqlite/lock.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { temporaryFolder } from './folder.ts';
import { startProgram } from './process.ts';

const open = (path: string) => openSqliteStorage({ path, synchronous: 'normal' });

describe('one process owns the data', () => {
  it('another process gets a readable line with the pid of the owner', async () => {
    const path = join(await temporaryFolder(), 'llmgine.db');
    const storage = await open(path);

    const other = startProgram('open', path);
    const line = await other.line();
    await storage.close();
    const next = startProgram('open', path);

    expect(line).toBe(
      `StorageInUseError: The data in ${path} is in use by another LLMgine process (pid ${process.pid}); ` +
        'stop it, or set LLMGINE_API_DATA_DIR to another folder',
    );
    expect(await next.line()).toBe('open 2');
  });

  it('this process gets it too, and the first one keeps its lock', async () => {
    const path = join(await temporaryFolder(), 'llmgine.db');
    const storage = await open(path);

    await expect(open(path)).rejects.toThrow(`The data in ${path} is in use by another app of this process`);
    await expect(open(path)).rejects.toBeInstanceOf(StorageInUseError);
    const other = startProgram('open', path);

    expect(await other.line()).toContain('StorageInUseError');
    await expect(storage.check()).resolves.toBeUndefined();
    await storage.close();
  });

  it('a link to the data is the same data', async () => {
    const folder = await temporaryFolder();
    const storage = await open(join(folder, 'llmgine.db'));
    await mkdir(join(folder, 'elsewhere'));
    await symlink(join(folder, 'llmgine.db'), join(folder, 'elsewhere', 'link.db'));

    await expect(open(join(folder, 'elsewhere', 'link.db'))).rejects.toBeInstanceOf(StorageInUseError);
    await storage.close();
  });

  it('the lock dies with its process, also with kill -9', async () => {
    const path = join(await temporaryFolder(), 'llmgine.db');
    const owner = startProgram('hold', path);
    expect(await owner.line()).toBe('open 1');
    await expect(open(path)).rejects.toThrow(`another LLMgine process (pid ${owner.pid})`);

    await owner.kill();
    const storage = await open(path);

    expect(storage.boot).toBe(2);
    await storage.close();
  });

  it('does not need the pid file, nor believes it', async () => {
    const path = join(await temporaryFolder(), 'llmgine.db');
    await writeFile(`${path}.pid`, `${process.pid}\n`);
    const storage = await open(path);
    await rm(`${path}.pid`);

    await expect(open(path)).rejects.toThrow('is in use by another LLMgine process; stop it');
    await storage.close();
    await expect(readFile(`${path}.pid`)).rejects.toThrow('ENOENT');
  });

  it('goes on when the pid file cannot be written, and says so', async () => {
    const path = join(await temporaryFolder(), 'llmgine.db');
    await mkdir(`${path}.pid`);
    const stages: string[] = [];

    const storage = await openSqliteStorage({
      path,
      synchronous: 'normal',
      onError: (stage) => stages.push(stage),
    });
    await storage.close();

    expect(stages).toEqual(['storage pid file', 'storage pid file']);
  });
});
