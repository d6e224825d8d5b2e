/** Control (e): rows of SQLite as large as events, all read with one statement, and each sent with bare `ws`. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { WebSocketServer } from 'ws';

interface Row {
  readonly seq: number;
  readonly event_type: string;
  readonly payload: string;
  readonly created_at: number;
}

const folder = mkdtempSync(join(tmpdir(), 'llmgine-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const database = new DatabaseSync(join(folder, 'rows.db'));
database.exec('pragma journal_mode = wal; pragma synchronous = normal');
database.exec(
  'create table events (seq integer primary key, event_type text, payload text, created_at integer) strict',
);
const insert = database.prepare('insert into events (event_type, payload, created_at) values (?, ?, ?)');
const after = database.prepare('select * from events where seq > ? order by seq limit ?');

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
let events = 0;

function fill(count: number, length: number): void {
  const payload = JSON.stringify({ text: 'x'.repeat(length) });
  database.exec('begin');
  for (events = 0; events < count; events += 1) insert.run('custom:bench', payload, Date.now());
  database.exec('commit');
}

function frameOf({ seq, event_type, payload, created_at }: Row): string {
  const at = new Date(created_at).toISOString();
  const cursor = `benchmark-1.${seq}`;
  return `{"type":"event","data":{"cursor":"${cursor}","seq":${seq},"event_type":"${event_type}","payload":${payload},"created_at":"${at}"}}`;
}

server.on('connection', (socket) => {
  socket.on('message', (raw) => {
    const { type, data } = JSON.parse(String(raw)) as {
      readonly type: string;
      readonly data: { readonly events: number; readonly length: number };
    };
    if (type === 'fill') {
      fill(data.events, data.length);
      socket.send(JSON.stringify({ type: 'filled', data: {} }));
      return;
    }
    for (const row of after.all(0, events)) socket.send(frameOf(row as unknown as Row));
  });
});
server.on('listening', () => {
  process.send?.({ url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.on('SIGTERM', () => process.exit(0));
