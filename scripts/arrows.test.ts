import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'bun:test';
import { checkArrows, unseenFiles } from './lib/arrows.mjs';

const root = join(import.meta.dir, '..');
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A small repository of its own; a file is given with what it imports. */
function plant(files: Record<string, string[]>): string {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-arrows-'));
  folders.push(folder);
  cpSync(join(root, 'tsconfig.base.json'), join(folder, 'tsconfig.base.json'));
  cpSync(join(root, 'tsconfig.json'), join(folder, 'tsconfig.json'));
  mkdirSync(join(folder, 'packages'), { recursive: true });
  for (const [path, imports] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    const lines = imports.map((from, position) => `import * as x${position} from '${from}';\nconsole.log(x${position});`);
    writeFileSync(join(folder, path), `${lines.join('\n')}\nexport const here = 1;\n`);
  }
  return folder;
}

const server = 'apps/server/src';
/** What each rule must catch: a file and one import of it. */
const violations: Array<[rule: string, file: string, imports: string]> = [
  ['slice-door', `${server}/features/pick.ts`, '../claims/holds.ts'],
  ['slice-door-from-root', `${server}/deps.ts`, './claims/holds.ts'],
  ['table-door', `${server}/status/status.ts`, '../claims/claims.table.ts'],
  ['order-auth', `${server}/auth/auth.ts`, '../features/index.ts'],
  ['order-roadmap', `${server}/roadmap/roadmap.ts`, '../status/index.ts'],
  ['slice-unlisted', `${server}/app.ts`, './weather/index.ts'],
  ['no-way-back-to-the-root', `${server}/claims/claims.ts`, '../config.ts'],
  ['engine-port', `${server}/claims/follow.ts`, '../engines/leases/redis.ts'],
  ['engine-knows-no-slice', `${server}/engines/leases/memory.ts`, '../../claims/index.ts'],
  ['platform-knows-nothing-above', `${server}/platform/log.ts`, '../engines/leases/leases.ts'],
  ['drivers-in-engines', `${server}/claims/driver.ts`, 'ioredis'],
  ['hono-at-the-edge', `${server}/claims/web.ts`, 'hono/cors'],
  ['drizzle-in-stores', `${server}/claims/query.ts`, 'drizzle-orm'],
  ['clients-stay-out-of-the-server', 'apps/cli/src/cheat.ts', '../../server/src/config.ts'],
  ['packages-know-no-app', 'packages/client/src/cheat.ts', '../../../apps/cli/src/main.ts'],
  ['contract-is-zod-only', 'packages/contract/src/ids.ts', 'node:crypto'],
  ['paths-imports-nothing', 'packages/paths/src/disk.ts', 'node:path'],
  ['clients-run-on-node', 'apps/cli/src/fast.ts', 'bun'],
  ['resolvable', 'apps/cli/src/lost.ts', './nowhere.ts'],
];

const targets = [
  ...['claims/holds', 'claims/index', 'claims/claims.table', 'features/index', 'status/index', 'weather/index', 'config'],
  ...['engines/leases/leases', 'engines/leases/redis'],
].map((name) => `${server}/${name}.ts`);

const innocent: Record<string, string[]> = {
  ...Object.fromEntries(targets.map((path) => [path, []])),
  'apps/cli/src/main.ts': [],
  [`${server}/features/features.table.ts`]: ['../claims/claims.table.ts'],
  [`${server}/features/pick.test.ts`]: ['../claims/holds.ts', '../engines/leases/redis.ts', 'bun:test'],
  [`${server}/features/lifecycle.ts`]: ['../claims/index.ts', '../engines/leases/leases.ts'],
};

/** In a planted repository nothing is installed, so every package is unresolvable. */
const expected = (fired: string[]) => fired.filter((rule) => rule !== 'resolvable').sort();

test('every arrow fires on a violation planted for it', async () => {
  const files = { ...innocent };
  for (const [, file, imports] of violations) files[file] = [...(files[file] ?? []), imports];
  files[`${server}/status/a.ts`] = ['./b.ts'];
  files[`${server}/status/b.ts`] = ['./a.ts'];
  const { code, fired } = await checkArrows(process.execPath, plant(files));
  expect(code).toBe(1);
  expect(fired).toEqual(expect.arrayContaining([...violations.map(([rule]) => rule), 'no-cycles']));
}, 60_000);

test('doors, ports, tables and tests are let through', async () => {
  const { fired } = await checkArrows(process.execPath, plant({ ...innocent, [`${server}/weather/index.ts`]: [] }));
  expect(expected(fired)).toEqual([]);
}, 60_000);

test('a source file that the cruiser did not read, or whose imports it did not see, is named', () => {
  const folder = plant({ 'apps/cli/src/main.ts': ['./other.ts'], 'apps/cli/src/other.ts': [] });
  const other = { source: 'apps/cli/src/other.ts', dependencies: [] };
  const main = { source: 'apps/cli/src/main.ts', dependencies: ['./other.ts'] };
  expect(unseenFiles([main, other], folder)).toEqual([]);
  expect(unseenFiles([other], folder)).toEqual([main.source]);
  expect(unseenFiles([{ ...main, dependencies: [] }, other], folder)).toEqual([main.source]);
});
