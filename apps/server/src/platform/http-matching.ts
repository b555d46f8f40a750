import type { Result, Router } from 'hono/router';
import { RegExpRouter } from 'hono/router/reg-exp-router';
import { TrieRouter } from 'hono/router/trie-router';

/**
 * Finds the routes that agents call all the time by one regular expression: 0.2 µs, of 1.5 in Hono's trie, which finds all
 * others 0.2 later. Alone, Hono leaves all to the trie: no expression can have `sessions/checkpoints` beside `sessions/:id/end`.
 */
export class HotFirst<T> implements Router<T> {
  readonly name = 'HotFirst';
  readonly #isHot: (method: string, path: string) => boolean;
  readonly #hot = new RegExpRouter<T>();
  readonly #all = new TrieRouter<T>();
  /** Middleware: in front of every route, and no answer by itself. */
  #everywhere = 0;

  constructor(isHot: (method: string, path: string) => boolean) {
    this.#isHot = isHot;
  }

  add(method: string, path: string, handler: T): void {
    const isEverywhere = path === '/*' || path === '*';
    if (isEverywhere) this.#everywhere += 1;
    if (isEverywhere || this.#isHot(method, path)) this.#hot.add(method, path, handler);
    this.#all.add(method, path, handler);
  }

  match(method: string, path: string): Result<T> {
    const found = this.#hot.match(method, path);
    return found[0].length > this.#everywhere ? found : this.#all.match(method, path);
  }
}
