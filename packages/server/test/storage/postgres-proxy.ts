/** Stands between a storage and its server, and loses the answers that a test wants to be lost. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Proxy {
  /** The database behind it. */
  readonly url: string;
  /** How many answers were lost. */
  readonly lost: number;
  /** The next `count` statements with these words are done, and nobody hears of it: the connection ends instead. */
  loseAnswersTo(words: string, count: number): void;
  /** Whether nobody gets through any more as soon as an answer was lost. */
  refuseAfterLoss(refuse: boolean): void;
}

export async function startProxy(databaseUrl: string): Promise<Proxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let words = '';
  let toLose = 0;
  let lost = 0;
  let refuse = false;
  const server = createServer((client) => {
    if (refuse && lost > 0) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(target.port), target.hostname);
    let losing = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (toLose > 0 && bytes.includes(words)) {
        toLose--;
        losing = true;
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (!losing) {
        client.write(bytes);
        return;
      }
      lost++;
      for (const socket of refuse ? sockets : [client]) socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port');
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(address.port);
  return {
    url: url.href,
    get lost() {
      return lost;
    },
    loseAnswersTo(text, count) {
      words = text;
      toLose = count;
    },
    refuseAfterLoss(value) {
      refuse = value;
    },
  };
}
