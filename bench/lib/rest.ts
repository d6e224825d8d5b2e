/** REST of a subject, as load and by single requests. */
import type { Requests, RequestsResult } from '../clients/requests.ts';
import { type Child, start } from './child.ts';
import { askClient, type Running } from './subjects.ts';

export const SESSIONS_PATH = '/api/sessions';

export const sessionPath = (id: string): string => `${SESSIONS_PATH}/${id}`;

export interface SessionsPage {
  readonly sessions: readonly { readonly session_id: string }[];
  readonly total: number;
  readonly next: string | null;
}

export interface Load extends RequestsResult {
  /** What the client took of one core. */
  readonly clientShare: number;
}

export class Rest {
  readonly #client: Child;
  readonly #origin: string;
  readonly #connections: number;

  private constructor(client: Child, origin: string, connections: number) {
    this.#client = client;
    this.#origin = origin;
    this.#connections = connections;
  }

  static async start(running: Running, connections = 64): Promise<Rest> {
    return new Rest(await start('clients/requests.ts'), originOf(running), connections);
  }

  get(paths: readonly string[], requests: number): Promise<Load> {
    return this.#load({ method: 'GET', paths, requests });
  }

  post(path: string, requests: number): Promise<Load> {
    return this.#load({ method: 'POST', paths: [path], requests });
  }

  async page(query: string): Promise<SessionsPage> {
    const response = await fetch(`${this.#origin}${SESSIONS_PATH}?${query}`);
    if (!response.ok) throw new Error(`the list answered ${response.status}`);
    return (await response.json()) as SessionsPage;
  }

  /** Ids of so many sessions at most, from all of the list. Fails when there are not as many as `expected`. */
  async sessionIds(count: number, expected: number): Promise<string[]> {
    const { total } = await this.page('limit=1');
    if (total < expected) throw new Error(`there are ${total} sessions instead of ${expected}`);
    const ids: string[] = [];
    const pages = Math.ceil(count / 100);
    for (let page = 0; page < pages; page += 1) {
      const offset = Math.floor((total * page) / pages);
      const { sessions } = await this.page(`limit=100&offset=${offset}`);
      ids.push(...sessions.map(({ session_id }) => session_id));
    }
    return ids.slice(0, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.stop();
  }

  async #load(load: Pick<Requests, 'method' | 'paths' | 'requests'>): Promise<Load> {
    const plan: Requests = { ...load, origin: this.#origin, connections: this.#connections };
    const before = await this.#client.read();
    const result = await askClient<RequestsResult>(this.#client, plan);
    const after = await this.#client.read();
    return { ...result, clientShare: (after.cpu - before.cpu) / 1000 / (after.at - before.at) };
  }
}

export function originOf({ target }: Running): string {
  return target.url.replace(/^ws/, 'http');
}
