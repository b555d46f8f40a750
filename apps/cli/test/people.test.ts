import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { Key, ProjectWithMembers } from '@nexus/contract';
import { startServer, type TestServer } from '../../server/test/harness.ts';
import { homeEnv, makePlace, type Place, type Ran, runHere } from '../src/testing/io.ts';

let server: TestServer;
let place: Place;
let projectId: string;
let leadKey: string;
beforeAll(async () => {
  server = await startServer('embedded');
  place = makePlace();
  const project = await server.project();
  ({ projectId } = project);
  leadKey = project.lead.options.apiKey ?? '';
});
afterAll(async () => {
  await server.stop();
  place.remove();
});

/** A command line of one person. */
const asPerson =
  (name: string) =>
  (...args: string[]): Promise<Ran> =>
    runHere(args, {
      cwd: place.dir,
      env: { ...homeEnv(join(place.dir, name)), NEXUS_SERVER_URL: server.url, NEXUS_PROJECT: projectId, NEXUS_NO_KEEPER: '1' },
      stdin: leadKey,
    });
const json = async <T>(ran: Promise<Ran>): Promise<T> => JSON.parse((await ran).out) as T;

test('people come in, change and go', async () => {
  const [lead, bob] = [asPerson('lead'), asPerson('bob')];
  await lead('login', '--token', '-');
  const invite = await json<{ code: string; id: string }>(lead('project', 'invite', '--json'));
  expect((await lead('project', 'invitations')).out).toContain(invite.id);
  expect((await bob('login', '--invite', invite.code, '--name', 'Bob', '--email', 'bob@example.org')).code).toBe(0);
  expect((await lead('project', 'members')).out).toContain('bob@example.org');
  expect((await lead('project', 'role', 'bob@example.org', 'readonly')).out).toContain('readonly now');
  const members = await json<ProjectWithMembers['members']>(lead('project', 'members', '--json'));
  expect(members.find(({ email }) => email === 'bob@example.org')?.role).toBe('readonly');
  const last = await lead('project', 'leave');
  expect([last.code, last.err]).toEqual([3, expect.stringContaining('only lead')]);
  expect((await bob('project', 'leave')).code).toBe(0);
  expect((await lead('project', 'remove-member', 'bob@example.org')).code).toBe(5);
  expect((await lead('project', 'add-member', 'bob@example.org')).code).toBe(0);
  expect((await lead('project', 'remove-member', 'bob@example.org')).code).toBe(0);
  expect((await bob('status')).code).toBe(5);
});

test('keys are made, used, rotated and revoked', async () => {
  const lead = asPerson('lead');
  await lead('login', '--token', '-');
  const made = await lead('key', 'create', 'ci', '--kind', 'service', '--bound', '--scopes', 'read,claim', '--expires', '30d');
  expect([made.code, made.out.slice(0, 4), made.err]).toEqual([0, 'nxs_', expect.stringContaining('may read, claim')]);
  const use = (key: string) => server.anonymous.with({ apiKey: key.trim() }).me();
  expect((await use(made.out)).key.projectId).toBe(projectId);
  expect((await lead('key', 'list')).out).toMatch(/nxs_\w{12} +ci +service +read,claim/);
  const turned = await lead('key', 'rotate', 'ci', '--overlap', '0');
  await use(turned.out);
  await expect(use(made.out)).rejects.toThrow('not valid');
  expect((await lead('key', 'revoke', turned.out.trim())).out).toContain('Revoked nxs_');
  expect((await lead('key', 'revoke', 'ci')).code).toBe(0);
  await expect(use(turned.out)).rejects.toThrow('not valid');
  const listed = await json<Key[]>(lead('key', 'list', '--all', '--json'));
  expect(listed.find(({ name }) => name === 'ci')?.revokedAt).not.toBeNull();
  expect((await lead('key', 'revoke', 'nothing')).code).toBe(5);
  expect((await lead('key', 'create', 'x', '--scopes', 'all')).code).toBe(2);
  expect((await lead('key', 'create', 'x', '--kind', 'agent', '--scopes', 'manage')).code).toBe(2);
});

test('the key one is logged in with is rotated without being logged out', async () => {
  const own = asPerson('own');
  await own('login', '--token', '-');
  const mine = await server.anonymous.with({ apiKey: leadKey }).me();
  expect((await own('key', 'rotate', mine.key.prefix, '--overlap', '0')).code).toBe(0);
  expect((await own('whoami')).code).toBe(0);
  await expect(server.anonymous.with({ apiKey: leadKey }).me()).rejects.toThrow('not valid');
});
