import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { createSession } from '../../../../tests/contracts/storage/fixtures.ts';
import { StorageOpenError } from '../../src/storage/errors.ts';
import { openStorage } from '../../src/storage/open.ts';
import { Database } from '../../src/storage/sqlite/database.ts';
import { temporaryFolder } from './folder.ts';

const NORMAL = {
  sqliteSynchronous: 'normal',
  databaseUrl: undefined,
  databasePool: 10,
  databaseTimeout: 10,
  runLease: 15,
} as const;

describe('where the data is', () => {
  it('is llmgine.db in the data folder, which is made', async () => {
    const dataDir = join(await temporaryFolder(), 'a', 'b');

    const storage = await openStorage({ ...NORMAL, dataDir });
    await storage.close();

    expect(storage.description).toBe(`sqlite ${join(dataDir, 'llmgine.db')}`);
    expect((await stat(join(dataDir, 'llmgine.db'))).isFile()).toBe(true);
  });

  it.for([
    ['sqlite:', ''],
    ['sqlite://', ''],
  ])('is the path of a %s URL', async ([scheme]) => {
    const folder = await temporaryFolder();
    const path = join(folder, 'deep', 'my data.sqlite');

    const storage = await openStorage({ ...NORMAL, dataDir: 'unused', databaseUrl: `${scheme}${path}` });
    await storage.close();

    expect((await stat(path)).isFile()).toBe(true);
  });

  it('is nowhere for :memory:', async () => {
    const folder = await temporaryFolder();

    const storages = await Promise.all(
      [1, 2].map(() => openStorage({ ...NORMAL, dataDir: folder, databaseUrl: ':memory:' })),
    );
    await createSession(storages[0]!);

    expect(storages[0]?.description).toBe('sqlite :memory:');
    expect(await storages[1]?.counts()).toEqual({ sessions: 0, engines: 0 });
    await Promise.all(storages.map((storage) => storage.close()));
  });
});

describe('who can read it', () => {
  const modes = async (folder: string) =>
    Promise.all(
      ['', ...(await readdir(folder)).toSorted()].map(async (name) => [
        name,
        ((await stat(join(folder, name))).mode & 0o777).toString(8),
      ]),
    );

  it('is its owner alone: the folders, the database and what lies beside it', async () => {
    const parent = join(await temporaryFolder(), 'made');
    const dataDir = join(parent, 'data');

    const storage = await openStorage({ ...NORMAL, dataDir });
    await createSession(storage);

    const [folder, ...files] = await modes(dataDir);
    expect(folder).toEqual(['', '700']);
    expect(files.map(([name]) => name)).toEqual(
      expect.arrayContaining(
        ['', '-shm', '-wal', '.lock', '.pid', '.reserve'].map((end) => `llmgine.db${end}`),
      ),
    );
    expect(files.filter(([, mode]) => mode !== '600')).toEqual([]);
    expect((await stat(parent)).mode & 0o777).toBe(0o700);
    await storage.close();
  });

  it('stays as it is where it is there already', async () => {
    const dataDir = await temporaryFolder();
    await (await openStorage({ ...NORMAL, dataDir })).close();
    await chmod(dataDir, 0o750);
    await chmod(join(dataDir, 'llmgine.db'), 0o640);

    const storage = await openStorage({ ...NORMAL, dataDir });
    const found = Object.fromEntries(await modes(dataDir));
    await storage.close();

    expect(found).toMatchObject({ '': '750', 'llmgine.db': '640', 'llmgine.db-wal': '640' });
  });
});

describe('the file', () => {
  it('alone is the whole data once the storage is closed', async () => {
    const dataDir = await temporaryFolder();
    const storage = await openStorage({ ...NORMAL, dataDir });
    await createSession(storage);

    await storage.close();

    await expect(stat(join(dataDir, 'llmgine.db-wal'))).rejects.toThrow('ENOENT');
    const database = new DatabaseSync(join(dataDir, 'llmgine.db'), { readOnly: true });
    expect(database.prepare('select count(*) as sessions from sessions').get()).toEqual({ sessions: 1 });
    database.close();
  });

  it.for([
    ['normal', 1],
    ['full', 2],
  ] as const)('is synchronised as configured: %s', async ([sqliteSynchronous, level]) => {
    const path = join(await temporaryFolder(), 'a.db');

    const database = new Database({ path, synchronous: sqliteSynchronous });

    const pragma = (name: 'synchronous' | 'journal_mode') =>
      database.get({ compile: () => sql`pragma ${sql.raw(name)}`.compile(database.sql) });

    expect(pragma('synchronous')).toEqual({ synchronous: level });
    expect(pragma('journal_mode')).toEqual({ journal_mode: 'wal' });
    database.close();
  });
});

describe('data that cannot be opened', () => {
  it('is no database', async () => {
    const dataDir = await temporaryFolder();
    const path = join(dataDir, 'llmgine.db');
    await writeFile(path, 'this is a text, and longer than the header of a database would be'.repeat(10));

    const attempt = openStorage({ ...NORMAL, dataDir });

    await expect(attempt).rejects.toThrow(`The data in ${path} cannot be opened: file is not a database`);
    await expect(attempt).rejects.toBeInstanceOf(StorageOpenError);
    expect(await readFile(path, 'utf8')).toContain('this is a text');
  });

  it('was written by a newer version', async () => {
    const dataDir = await temporaryFolder();
    const path = join(dataDir, 'llmgine.db');
    await (await openStorage({ ...NORMAL, dataDir })).close();
    const database = new DatabaseSync(path);
    database.exec(`insert into kysely_migration (name, timestamp) values ('9999_future', 'later')`);
    database.close();

    await expect(openStorage({ ...NORMAL, dataDir })).rejects.toThrow(
      `The data in ${path} cannot be opened: it was written by a newer version of LLMgine`,
    );
    // It is not kept locked either.
    await expect(openStorage({ ...NORMAL, dataDir })).rejects.toBeInstanceOf(StorageOpenError);
  });

  it('is in a folder that cannot be made', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');

    await expect(openStorage({ ...NORMAL, dataDir: join(folder, 'file', 'data') })).rejects.toThrow(
      /^The folder .*data cannot be made: .*ENOTDIR/,
    );
  });

  it('is a folder itself', async () => {
    const dataDir = await temporaryFolder();
    await mkdir(join(dataDir, 'llmgine.db'));

    await expect(openStorage({ ...NORMAL, dataDir })).rejects.toBeInstanceOf(StorageOpenError);
  });
});
