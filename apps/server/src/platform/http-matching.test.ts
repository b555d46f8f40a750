import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Result, Router } from 'hono/router';
import { TrieRouter } from 'hono/router/trie-router';
import { HotFirst } from './http-matching.ts';

const routes = [
  ['POST', '/api/sessions/heartbeats'],
  ['POST', '/api/projects/:projectId/sessions/:sessionId/heartbeat'],
  ['POST', '/api/projects/:projectId/sessions/checkpoints'],
  ['POST', '/api/projects/:projectId/claims/check'],
  ['POST', '/api/projects/:projectId/claims'],
  ['GET', '/api/projects/:projectId/features/available'],
  ['GET', '/api/projects/:projectId/features/:slug'],
  ['POST', '/api/projects/:projectId/features/:slug/pick'],
  ['GET', '/api/docs'],
] as const;
const isHot = (_method: string, path: string) => /check$|heartbeats?$/.test(path);

/** The handlers found, in order, each with its parameters. */
function found<T>([handlers, stash]: Result<T>) {
  return handlers.map(([handler, params]) => [
    handler,
    Object.fromEntries(Object.entries(params).map(([name, at]) => [name, stash && typeof at === 'number' ? stash[at] : at])),
  ]);
}

function fill<R extends Router<string>>(router: R, middleware: boolean): R {
  if (middleware) router.add('ALL', '/*', 'middleware');
  for (const [method, path] of routes) router.add(method, path, `${method} ${path}`);
  return router;
}

const segment = fc.oneof(
  // Not `:slug` itself, for which the trie finds its route twice.
  fc.constantFrom(...new Set(routes.flatMap(([, path]) => path.split('/').filter((part) => !part.startsWith(':'))))),
  fc.constantFrom('', '%', '\n', '*', 'constructor', '__proto__', '@1', '#'),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
/** A path of a route, its parameters filled in; or one that is no route's. */
const anyPath = fc.oneof(
  fc
    .tuple(fc.constantFrom(...routes), fc.infiniteStream(segment))
    .map(([[, path], values]) => path.replace(/:\w+/g, () => values.next().value)),
  fc.array(segment, { maxLength: 7 }).map((segments) => `/${segments.join('/')}`),
);

describe('which route a request is for', () => {
  for (const middleware of [false, true])
    test(`is the same whether a route is hot or not, ${middleware ? 'with' : 'without'} middleware in front`, () => {
      const [ours, theirs] = [fill(new HotFirst<string>(isHot), middleware), fill(new TrieRouter<string>(), middleware)];
      fc.assert(
        fc.property(fc.constantFrom('GET', 'POST', 'OPTIONS'), anyPath, (method, path) => {
          expect(found(ours.match(method, path))).toEqual(found(theirs.match(method, path)));
        }),
        { numRuns: 5000 },
      );
    });
});
