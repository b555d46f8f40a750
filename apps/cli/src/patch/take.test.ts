import { afterEach, beforeEach, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { data, type FakeServer, refusal, startFakeServer } from '../testing/fake-server.ts';
import { gitIn, homeEnv, makePlace, type Place, runHere } from '../testing/io.ts';

const ID = '01900000-0000-7000-8000-0000000000aa';
const PROJECT = '01900000-0000-7000-8000-000000000001';
let place: Place;
let server: FakeServer;
let dir: string;
let diff: string;

beforeEach(async () => {
  place = makePlace();
  dir = join(place.dir, 'work');
  server = await startFakeServer(() => undefined);
  gitIn(place.dir, 'init', '-q', '-b', 'main', 'work');
  writeFileSync(join(dir, 'a.ts'), 'one\n');
  gitIn(dir, 'add', '-A');
  gitIn(dir, '-c', 'user.name=t', '-c', 'user.email=t@example.com', 'commit', '-qm', 'a');
  writeFileSync(join(dir, 'a.ts'), 'two\n');
  diff = gitIn(dir, 'diff', '--full-index');
  gitIn(dir, 'checkout', '-q', 'a.ts');
});
afterEach(async () => {
  await server.close();
  place.remove();
});

/** A server whose patch names `paths`, and that answers its being applied so; `state`: what it is by then. */
async function apply(outcome: ReturnType<typeof data> | undefined, state = 'open', paths = ['a.ts']) {
  const author = { engineerId: 'x', engineerName: 'Bob', sessionId: 'y', agent: 'claude', featureSlug: null };
  let asked = false;
  const patch = () => ({ id: ID, paths, author, state: asked ? state : 'open', createdAt: new Date().toISOString(), diff });
  server.answer(({ path }) => {
    if (path.endsWith('/claims/check'))
      return data({ paths: paths.map((one) => ({ path: one, state: 'mine', conflicts: [] })), degraded: false });
    if (path.endsWith(`/patches/${ID}`)) return data(patch());
    if (!path.endsWith('/applied')) return data({ id: 'z', resumable: [] });
    asked = true;
    return outcome;
  });
  const env = {
    ...homeEnv(join(place.dir, 'home')),
    NEXUS_SERVER_URL: server.url,
    NEXUS_PROJECT: PROJECT,
    NEXUS_TOKEN: 'nxp_x',
    NEXUS_SESSION: 'z',
    NEXUS_NO_KEEPER: '1',
  };
  return { ...(await runHere(['patch', 'apply', ID], { cwd: dir, env })), file: readFileSync(join(dir, 'a.ts'), 'utf8') };
}

test('a holder that lost the path while it wrote has its files as they were', async () => {
  const { code, err, file } = await apply(refusal(409, 'FENCED'));
  expect([code, file]).toEqual([3, 'one\n']);
  expect(err).toContain('These files are as they were');
});

test('what is uncommitted there stays, also when the patch is taken back', async () => {
  writeFileSync(join(dir, 'a.ts'), `one\n${'line\n'.repeat(8)}mine\n`);
  const { file } = await apply(refusal(409, 'INVALID_STATUS_TRANSITION'), 'withdrawn');
  expect(file).toBe(`one\n${'line\n'.repeat(8)}mine\n`);
});

test('what another of its sessions applied meanwhile stays in the files that they share', async () => {
  const { code, file } = await apply(refusal(409, 'INVALID_STATUS_TRANSITION'), 'applied');
  expect([code, file]).toEqual([3, 'two\n']);
});

test('a server that does not answer leaves the change in the files: run again, it is told', async () => {
  const { code, file } = await apply(refusal(503, 'SERVICE_UNAVAILABLE'));
  expect([code, file]).toEqual([6, 'two\n']);
});

test('a diff that changes more than it names is not applied, whatever the server says', async () => {
  const { code, err, file } = await apply(data({}), 'open', ['b.ts']);
  expect([code, file]).toEqual([1, 'one\n']);
  expect(err).toContain('changes a.ts, which it does not name');
});
