/**
 * A TCP proxy that breaks what goes through it: between client and server, server and database, server and model.
 *
 *     const proxy = await startProxy({ host: '127.0.0.1', port });
 *     proxy.set({ latencyMs: 20, jitterMs: 10 });          // both directions, also of connections that are open
 *     proxy.set({ slice: 1 }, 'toClient');                 // what the server says arrives byte by byte
 *     proxy.set({ slice: 100, bytesPerSecond: 10_000 });   // a narrow band
 *     proxy.set({ flow: 'swallow' });                      // half-open: no bytes, no ends, no errors
 *     proxy.cut();                                         // both sides of every connection, now
 *     proxy.cutAfter(100, 'toClient');                     // of the connection that passes on the 100th byte from now
 *     proxy.accept = 'refuse';                             // new connections are reset; 'swallow' leaves them in silence
 *     proxy.heal();                                        // no faults any more; what was cut stays so
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { Random } from './random.ts';
import { type Fault, NO_FAULT, Pipe } from './tcp-pipe.ts';

export type Direction = 'toServer' | 'toClient';
const DIRECTIONS = ['toServer', 'toClient'] as const;

export interface Target {
  readonly host: string;
  readonly port: number;
}

interface Link {
  readonly sockets: readonly Socket[];
  readonly pipes: readonly Pipe[];
}

export class TcpProxy {
  readonly host = '127.0.0.1';
  /** Where connections go; may change, for those that come. */
  target: Target;
  accept: 'pass' | 'refuse' | 'swallow' = 'pass';
  /** How many were accepted so far. */
  accepted = 0;
  /** What was passed on so far. */
  readonly passed = { toServer: { bytes: 0, writes: 0 }, toClient: { bytes: 0, writes: 0 } };
  /** What was thrown away so far. */
  readonly swallowed = { toServer: { bytes: 0, ends: 0 }, toClient: { bytes: 0, ends: 0 } };
  readonly #random: Random;
  readonly #faults: Record<Direction, Fault> = { toServer: NO_FAULT, toClient: NO_FAULT };
  readonly #left: Record<Direction, number> = {
    toServer: Number.POSITIVE_INFINITY,
    toClient: Number.POSITIVE_INFINITY,
  };
  readonly #links = new Set<Link>();
  readonly #server = createServer({ allowHalfOpen: true }, (client) => this.#connect(client));

  constructor(target: Target, random: Random) {
    this.target = target;
    this.#random = random;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, this.host);
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(scheme = 'http'): string {
    return `${scheme}://${this.host}:${this.port}`;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#links.size;
  }

  /** Bytes that are read and not passed on yet. */
  get held(): number {
    return [...this.#links].flatMap(({ pipes }) => pipes).reduce((sum, { held }) => sum + held, 0);
  }

  /** Changes what is given, of one direction or of both. */
  set(fault: Partial<Fault>, direction?: Direction): void {
    for (const each of direction ? [direction] : DIRECTIONS) {
      this.#faults[each] = { ...this.#faults[each], ...fault };
    }
    for (const { pipes } of this.#links) for (const pipe of pipes) pipe.pump();
  }

  heal(): void {
    this.accept = 'pass';
    for (const direction of DIRECTIONS) this.#left[direction] = Number.POSITIVE_INFINITY;
    this.set(NO_FAULT);
  }

  /** Both sides see a reset. */
  cut(): void {
    for (const link of [...this.#links]) this.#cut(link);
  }

  /** All connections count together; the one that passes on the last of so many bytes is cut. */
  cutAfter(bytes: number, direction: Direction): void {
    this.#left[direction] = bytes;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  #connect(client: Socket): void {
    this.accepted++;
    // What goes wrong with one side shows as its close.
    client.on('error', () => {});
    if (this.accept === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    if (this.accept === 'swallow') {
      this.#add({ sockets: [client], pipes: [] });
      client.resume();
      return;
    }
    const server = connect({ ...this.target, allowHalfOpen: true });
    server.on('error', () => {});
    const pipes = [
      this.#pipe(client, server, 'toServer', () => this.#cut(link)),
      this.#pipe(server, client, 'toClient', () => this.#cut(link)),
    ];
    const link = { sockets: [client, server], pipes };
    this.#add(link);
  }

  #pipe(from: Socket, to: Socket, direction: Direction, cut: () => void): Pipe {
    from.setNoDelay(true);
    return new Pipe({
      from,
      to,
      cut,
      random: this.#random,
      fault: () => this.#faults[direction],
      swallowed: (what) => {
        if (what === 'end') this.swallowed[direction].ends++;
        else this.swallowed[direction].bytes += what;
      },
      allowance: (wanted) => {
        const bytes = Math.min(wanted, this.#left[direction]);
        this.#left[direction] -= bytes;
        this.passed[direction].bytes += bytes;
        this.passed[direction].writes++;
        const cut = this.#left[direction] === 0;
        // The next connection is not meant any more.
        if (cut) this.#left[direction] = Number.POSITIVE_INFINITY;
        return { bytes, cut };
      },
    });
  }

  #add(link: Link): void {
    this.#links.add(link);
    for (const socket of link.sockets) socket.once('close', () => this.#closed(link));
  }

  /** Where one side is gone, the other side is told, unless nobody is to notice. */
  #closed(link: Link): void {
    if (link.sockets.every(({ destroyed }) => destroyed)) {
      for (const pipe of link.pipes) pipe.stop();
      this.#links.delete(link);
      return;
    }
    const silent = DIRECTIONS.some((direction) => this.#faults[direction].flow === 'swallow');
    const orderly = link.sockets.every(({ destroyed, errored }) => !destroyed || !errored);
    if (!silent && !orderly) this.#cut(link);
  }

  #cut(link: Link): void {
    for (const socket of link.sockets) socket.resetAndDestroy();
  }
}

/** Closed when the test ends. */
export async function startProxy(target: Target, random = new Random(0)): Promise<TcpProxy> {
  const proxy = new TcpProxy(target, random);
  await proxy.listen();
  onTestFinished(() => proxy.close());
  return proxy;
}
