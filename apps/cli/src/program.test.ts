import { NexusError, NexusUnreachable } from '@nexus/client';
import { errorStatus } from '@nexus/contract';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { problemOf } from './errors.ts';
import { data, type FakeServer, refusal, startFakeServer } from './testing/fake-server.ts';
import { homeEnv, makePlace, makeRepository, type Place, type Ran, runHere } from './testing/io.ts';

let place: Place;
let server: FakeServer;
let env: Record<string, string>;
beforeEach(async () => {
  place = makePlace();
  makeRepository(place.dir);
  server = await startFakeServer(() => refusal(404, 'NOT_FOUND'));
  env = {
    ...homeEnv(join(place.dir, 'home')),
    NEXUS_SERVER_URL: server.url,
    NEXUS_TOKEN: 'nx_t',
    NEXUS_PROJECT: '00000000-0000-7000-8000-000000000001',
    NEXUS_NO_KEEPER: '1',
    NEXUS_AGENT: 'test',
    NEXUS_AGENT_SESSION: 's1',
  };
});
afterEach(async () => {
  await server.close();
  place.remove();
});
const nexus = (...args: string[]): Promise<Ran> => runHere(args, { cwd: place.dir, env });

describe('exit codes', () => {
  const of = (code: keyof typeof errorStatus): number =>
    problemOf(new NexusError(errorStatus[code], { code, message: '', requestId: '' })).exit;

  test('tell a conflict from an outage, a refusal, a miss and a mistake', () => {
    for (const code of [
      'FILE_ALREADY_CLAIMED',
      'FENCED',
      'NOTHING_AVAILABLE',
      'QUEUED_AHEAD',
      'WAIT_WHILE_HOLDING',
      'INVALID_STATUS_TRANSITION',
      'DEPENDENCIES_UNMET',
      'SESSION_LOST',
      'PRECONDITION_FAILED',
    ] as const)
      expect([code, of(code)]).toEqual([code, 3]);
    for (const code of ['UNAUTHORIZED', 'INVALID_API_KEY', 'FORBIDDEN', 'INSUFFICIENT_ROLE'] as const)
      expect([code, of(code)]).toEqual([code, 4]);
    for (const code of ['VALIDATION_ERROR', 'PATH_ESCAPES'] as const) expect([code, of(code)]).toEqual([code, 2]);
    expect([of('NOT_FOUND'), of('SERVICE_UNAVAILABLE'), of('INTERNAL_ERROR'), of('RATE_LIMITED')]).toEqual([5, 6, 1, 1]);
    expect(problemOf(new NexusUnreachable('x')).exit).toBe(6);
    expect(problemOf(new Error('x')).exit).toBe(1);
  });

  for (const args of [
    ['nonsense'],
    ['feature', 'pck'],
    ['feature'],
    ['feature', 'pick'],
    ['feature', 'list', '--stauts', 'x'],
    ['feature', 'list', '--limit', 'x'],
    ['-C', '/nowhere', 'status'],
    ['--server', 'x', 'status'],
  ]) {
    test(`are 2 for \`nexus ${args.join(' ')}\`, with nothing on stdout`, async () => {
      const { code, out, err } = await nexus(...args);
      expect(code).toBe(2);
      expect(out).toBe('');
      expect(err).not.toBe('');
    });
  }

  test('are 0 for help and the version', async () => {
    for (const args of [[], ['--help'], ['feature', 'pick', '--help'], ['--version']]) expect((await nexus(...args)).code).toBe(0);
  });
});

describe('output', () => {
  test('suggests what was meant', async () => {
    expect((await nexus('feature', 'pck', 'x')).err).toContain('Did you mean pick?');
    expect((await nexus('feature', 'list', '--stauts', 'x')).err).toContain('Did you mean --status?');
  });

  test('every command’s help has examples', async () => {
    for (const command of [
      ['up'],
      ['setup'],
      ['login'],
      ['logout'],
      ['whoami'],
      ['status'],
      ['watch'],
      ['project', 'create'],
      ['feature', 'create'],
      ['feature', 'pick'],
      ['feature', 'done'],
      ['claims', 'check'],
      ['learn'],
      ['decision', 'create'],
      ['search'],
      ['import'],
      ['project', 'export'],
      ['session', 'end'],
      ['keeper', 'status'],
    ]) {
      expect((await nexus(...command, '--help')).out).toContain('Examples:\n  $ nexus ');
    }
  });

  test('with --json is the data alone on stdout, and errors as JSON on stderr', async () => {
    server.answer(({ path }) =>
      path === '/auth/me' ? data({ id: 'e', name: 'A\u009b', email: 'a@example.com', role: 'engineer' }) : refusal(404, 'NOT_FOUND'),
    );
    const me = await nexus('whoami', '--json');
    expect(JSON.parse(me.out)).toEqual({ id: 'e', name: 'A\u009b', email: 'a@example.com', role: 'engineer', server: server.url });
    expect(me.out + me.err).not.toContain('\u009b');
    const missing = await nexus('--json', 'feature', 'show', 'x');
    expect(missing).toMatchObject({ code: 5, out: '' });
    expect(JSON.parse(missing.err)).toEqual({ error: { code: 'NOT_FOUND', message: 'NOT_FOUND.', requestId: 'r' } });
    expect(JSON.parse((await nexus('nonsense', '--json')).err)).toMatchObject({ error: { code: 'USAGE' } });
  });

  test('names every holder in the way of a pick, and what to do next', async () => {
    const claimedBy = {
      engineerId: 'e',
      engineerName: 'Ada\u001b[2J',
      sessionId: '01a1fdb0-09d2-746f-a002-f7edd323e6f7',
      agent: 'claude',
      featureId: 'f',
      featureSlug: 'login',
      fence: 1,
      claimedAt: new Date().toISOString(),
      expiresAt: new Date(Date.now() + 80_000).toISOString(),
      parked: false,
    };
    const conflicts = [
      { filePath: 'src/a.ts', heldPath: 'src/', mode: 'write', claimedBy },
      { filePath: 'docs/b.md', heldPath: 'docs/b.md', mode: 'read', claimedBy: { ...claimedBy, engineerName: 'Bob', featureSlug: null } },
    ];
    server.answer(({ path }) =>
      path.endsWith('/sessions') ? data(session('n1'), 201) : refusal(409, 'FILE_ALREADY_CLAIMED', { conflicts }),
    );
    const refused = await nexus('feature', 'pick', 'x');
    expect(refused).toMatchObject({ code: 3, out: '' });
    for (const part of [
      'src/a.ts\n    held as src/ by Ada[2J (claude, session d323e6f7) for login',
      'docs/b.md\n    held for reading by Bob (claude, session d323e6f7) ad hoc',
      'since ',
      'until ',
      'nexus feature pick-next',
    ])
      expect(refused.err).toContain(part);
    expect(JSON.parse((await nexus('feature', 'pick', 'x', '--json')).err).error.details.conflicts).toEqual(conflicts);
  });
});

describe('sessions', () => {
  test('a lost one stays lost for release and done, and is replaced by the next pick', async () => {
    let live = 'n1';
    server.answer(({ method, path, session: acting }) => {
      if (method === 'POST' && path.endsWith('/sessions')) return data(session(live), 201);
      if (acting !== live)
        return refusal(410, 'SESSION_LOST', {
          sessionId: acting,
          status: 'lost',
          endedAt: null,
          holds: [
            {
              featureSlug: 'x',
              fence: 1,
              endedAs: 'lost',
              parked: false,
              heldBy: { engineerName: 'Bob', agent: 'codex', sessionId: 'bbbbbbbb' },
            },
          ],
        });
      return data(path.endsWith('/claims/mine') ? [] : picked(live));
    });
    expect((await nexus('feature', 'pick', 'x')).code).toBe(0);
    live = 'n2';
    const opened = server.to(/POST .*\/sessions$/).length;
    for (const args of [
      ['feature', 'done', 'x'],
      ['feature', 'release', 'x'],
      ['claims', 'refresh'],
      ['claims', 'release', 'a.ts'],
      ['claims', 'add', 'a.ts', '--feature', 'x'],
    ]) {
      const late = await nexus(...args);
      expect([args, late.code]).toEqual([args, 3]);
      expect(late.err).toContain('now held by Bob (codex, session bbbbbbbb)');
    }
    expect(server.to(/POST .*\/sessions$/)).toHaveLength(opened);
    expect(server.calls.at(-1)?.session).toBe('n1');
    const again = await nexus('feature', 'pick', 'x');
    expect(again).toMatchObject({ code: 0 });
    expect(again.err).toContain('n1 is over');
    expect((await nexus('feature', 'done', 'x')).code).toBe(0);
    expect(server.calls.at(-1)?.session).toBe('n2');
  });

  test('are one for each agent session, project and key', async () => {
    server.answer(({ path, body }) =>
      path.endsWith('/sessions') ? data(session(`of-${(body as { agentSessionId: string }).agentSessionId}`), 201) : data([]),
    );
    await nexus('session', 'start');
    env = { ...env, NEXUS_AGENT_SESSION: 's2' };
    expect((await nexus('claims', 'mine')).code).toBe(0);
    expect(server.to(/claims\/mine/)).toHaveLength(0);
    env = { ...env, NEXUS_AGENT_SESSION: 's1' };
    await nexus('claims', 'mine');
    expect(server.to(/claims\/mine/).map(({ session: acting }) => acting)).toEqual(['of-s1']);
    env = { ...env, NEXUS_TOKEN: 'nx_other' };
    await nexus('claims', 'mine');
    expect(server.to(/claims\/mine/)).toHaveLength(1);
  });

  test('tell the server where they work, and are not opened by readers', async () => {
    server.answer(({ path }) => (path.endsWith('/sessions') ? data(session('n1'), 201) : data([])));
    await nexus('claims', 'list');
    await nexus('feature', 'available');
    expect(server.to(/POST/)).toHaveLength(0);
    await nexus('session', 'start');
    expect(server.calls.at(-1)?.body).toMatchObject({
      agent: 'test',
      agentSessionId: 's1',
      keeper: false,
      metadata: { gitBranch: 'main', workingDir: place.dir, worktree: place.dir, pid: expect.any(Number), machine: expect.any(String) },
    });
  });
});

describe('a feature from a file', () => {
  test('keeps its paths as they stand, while those of options are relative to here', async () => {
    server.answer(({ body }) => data({ ...picked('n1'), ...(body as object), status: 'draft' }, 201));
    writeFileSync(join(place.dir, 's.md'), '---\ntitle: A b\ntouches: [src/a.ts]\n---\nText');
    expect((await nexus('feature', 'create', '--from', 's.md')).code).toBe(0);
    expect(server.calls.at(-1)?.body).toEqual({ title: 'A b', slug: 'a-b', touches: ['src/a.ts'], spec: 'Text' });
    mkdirSync(join(place.dir, 'sub'));
    expect((await runHere(['-C', 'sub', 'feature', 'create', '--title', 'T', '--touches', 'x.ts'], { cwd: place.dir, env })).code).toBe(0);
    expect(server.calls.at(-1)?.body).toMatchObject({ touches: ['sub/x.ts'] });
  });

  test('is refused before anything is sent when a key is unknown', async () => {
    writeFileSync(join(place.dir, 's.md'), '---\ntitle: A\ntouch: [src/a.ts]\n---\n');
    expect(await nexus('feature', 'create', '--from', 's.md')).toMatchObject({ code: 2, err: expect.stringContaining('"touch"') });
    expect(server.calls).toHaveLength(0);
  });
});

describe('setup', () => {
  const me = { id: 'e', name: 'Ada', email: 'ada@example.com' };
  const project = {
    id: '00000000-0000-7000-8000-000000000009',
    name: 'Shop',
    slug: 'shop',
    repoUrl: null,
    repoPath: null,
    defaultBranch: 'main',
    createdAt: '',
    updatedAt: '',
  };

  test('without a terminal names the options that are missing', async () => {
    const { NEXUS_TOKEN: _none, ...nobody } = env;
    const unnamed = await runHere(['setup'], { cwd: place.dir, env: nobody });
    expect(unnamed.code).toBe(2);
    expect(unnamed.err).toContain('--name');
    expect(unnamed.err).toContain('--token');
  });

  test('registers, creates the project and links the repository; the key stays out of sight', async () => {
    const { NEXUS_TOKEN: _none, NEXUS_PROJECT: _project, ...nobody } = env;
    server.answer(({ method, path }) => {
      if (path === '/auth/register') return data({ engineer: me, apiKey: 'nx_secret', projectId: null }, 201);
      return `${method} ${path}` === 'POST /projects' ? data(project, 201) : data([]);
    });
    const done = await runHere(['setup', '--name', 'Ada', '--email', 'ada@example.com', '--project-name', 'Shop', '--json'], {
      cwd: place.dir,
      env: nobody,
    });
    expect(done.code).toBe(0);
    expect(JSON.parse(readFileSync(join(place.dir, '.nexus.json'), 'utf8'))).toEqual({
      server: server.url,
      projectId: project.id,
      slug: 'shop',
    });
    expect(done.out + done.err).not.toContain('nx_secret');
    expect(server.to(/POST \/projects$/)[0]?.key).toBe('Bearer nx_secret');
    const again = await runHere(['login', '--register', '--name', 'Ada', '--email', 'ada@example.com'], { cwd: place.dir, env: nobody });
    expect(again.err).toContain('nexus logout');
  });
});

const session = (id: string) => ({
  id,
  projectId: 'p',
  engineerId: 'e',
  featureId: null,
  status: 'active',
  lastHeartbeat: new Date().toISOString(),
  metadata: {},
  createdAt: new Date().toISOString(),
  parentId: null,
  agent: 'test',
  agentSessionId: 's1',
  keeper: false,
  leaseSeconds: 1800,
  expiresAt: null,
});
const picked = (sessionId: string) => ({
  id: 'f',
  projectId: 'p',
  slug: 'x',
  title: 'X',
  spec: '',
  status: 'active',
  lane: 'now',
  priority: 1,
  touches: ['a.ts'],
  dependsOn: [],
  createdBy: 'e',
  claimedBy: 'e',
  claimedAt: null,
  completedAt: null,
  createdAt: '',
  updatedAt: '',
  version: 1,
  heldBy: { sessionId, agent: 'test', engineerName: 'Ada', parked: false },
  fence: 1,
  interrupted: false,
});
