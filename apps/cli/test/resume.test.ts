import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { existsSync, rmSync } from 'node:fs';
import { eventually, onEachEngineSet, readyFeature, startServer, type TestServer } from '../../server/test/harness.ts';
import { type Checkout, makeCheckout } from './lib/checkout.ts';
import { openTerminal } from './lib/terminal.ts';

onEachEngineSet('a feature whose agent is gone', (set) => {
  let server: TestServer;
  let projectId: string;
  let lead: Client;
  let ann: Checkout;
  let bob: Checkout;

  beforeAll(async () => {
    server = await startServer(set);
  });
  afterAll(() => server.stop());

  beforeEach(async () => {
    ({ projectId, lead } = await server.project());
    const other = await server.engineer('Bob');
    await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
    const env = (client: Client) => ({
      NEXUS_SERVER_URL: server.url,
      NEXUS_PROJECT: projectId,
      NEXUS_TOKEN: client.options.apiKey ?? '',
      NEXUS_BEAT_SECONDS: '1',
    });
    [ann, bob] = await Promise.all([makeCheckout({ ...env(lead), NEXUS_NO_KEEPER: '' }), makeCheckout(env(other))]);
    ann.write('src/login/form.ts', 'form\n'.repeat(5));
    ann.write('README.md', 'read me\n');
    ann.write('.gitignore', '*.log\n');
    await ann.git('add', '-A');
    await ann.git('commit', '-qm', 'start');
    rmSync(bob.dir, { recursive: true });
    await bob.run('git', ['clone', '-q', ann.dir, bob.dir], { cwd: '/' });
    await readyFeature(lead, projectId, 'login', ['src/login/', 'ro:README.md']);
  });
  afterEach(async () => {
    await ann.nexus('keeper', 'stop');
    ann.remove();
    bob.remove();
  });

  const feature = () => lead.getFeature({ projectId, slug: 'login' });
  /** Ann's terminal works on it, saves, works on, and is killed. Answers the session that is lost. */
  async function killedAtWork(): Promise<string> {
    const terminal = openTerminal(ann);
    try {
      expect(await terminal.run('git switch -qc login && nexus feature pick login')).toMatchObject({ code: 0 });
      ann.write('src/login/form.ts', `first\n${'form\n'.repeat(5)}`);
      expect(await terminal.run('nexus learn "Forms post to /api/login" --kind howto')).toMatchObject({ code: 0 });
      const saved = await terminal.run('nexus save --notes "Posts. Next: errors"');
      expect([saved.code, saved.out]).toEqual([
        0,
        expect.stringMatching(/^Saved login: .*on login at [0-9a-f]{10}; uncommitted: 1 file changed/),
      ]);
      ann.write('src/login/form.ts', `first\n${'form\n'.repeat(5)}second\n`);
      ann.write('src/login/errors.ts', 'errors\n');
      ann.write('src/login/debug.log', 'log\n');
      ann.write('README.md', 'not hers\n');
      await ann.git('status');
      const sessionId = (await feature()).heldBy?.sessionId ?? '';
      terminal.kill();
      await eventually('it is interrupted', async () => (await feature()).interrupted);
      return sessionId;
    } finally {
      terminal.close();
    }
  }

  test('is adopted by another engineer on another clone, from another machine’s too; the first one’s writes are refused', async () => {
    const lost = await killedAtWork();
    const ref = `refs/nexus/wip/${lost}`;
    expect((await ann.git('diff', '--name-status', `${ref}^`, ref)).out).toBe('A\tsrc/login/errors.ts\nM\tsrc/login/form.ts\n');
    expect((await ann.git('status', '--porcelain')).out).toBe(' M README.md\n M src/login/form.ts\n?? src/login/errors.ts\n');
    expect(await feature()).toMatchObject({
      checkpoint: { type: 'crash_recovery', sessionId: lost, notes: 'Posts. Next: errors', context: { gitBranch: 'login', wip: { ref } } },
    });

    const offered = await bob.nexus('feature', 'available');
    for (const said of ['free    login (next, interrupted)', 'left by  Lead (terminal', 'on branch login', '> Posts. Next: errors'])
      expect(offered.out).toContain(said);
    bob.write('../home/state/machine.json', '{"id":"another"}');
    await bob.git('remote', 'set-url', 'origin', '/nowhere');
    const told = await bob.nexus('feature', 'resume', 'login', '--restore-wip');
    expect(told.code).toBe(1);
    for (const said of ['the feature is yours', ann.dir, 'Lead’s machine', `git push origin ${ref}`]) expect(told.err).toContain(said);
    await bob.git('remote', 'set-url', 'origin', ann.dir);
    const { code, out } = await bob.nexus('feature', 'resume', 'login', '--restore-wip', '--json');
    expect([code, (JSON.parse(out) as { wip: object }).wip]).toEqual([
      0,
      { state: 'restored', ref, files: ['src/login/errors.ts', 'src/login/form.ts'], commits: 'merged' },
    ]);
    expect(bob.read('src/login/form.ts')).toBe(`first\n${'form\n'.repeat(5)}second\n`);
    expect(bob.read('src/login/errors.ts')).toBe('errors\n');
    expect(bob.read('README.md')).toBe('read me\n');
    expect(bob.read('.nexus/active/login/handover.md')).toContain('Posts. Next: errors');
    expect(bob.read('.nexus/active/login/learnings.md')).toContain('Forms post to /api/login');
    expect(await feature()).toMatchObject({ status: 'active', fence: 2, heldBy: { engineerName: 'Bob' } });

    const late = { env: { NEXUS_SESSION: lost } };
    for (const args of [
      ['save', 'login', '--notes', 'late'],
      ['feature', 'done', 'login'],
      ['claims', 'add', 'src/login/form.ts'],
    ]) {
      const { code, err } = await ann.run('nexus', args, late);
      expect([args, code, err]).toEqual([args, 3, expect.stringContaining('Bob')]);
    }
    expect(await feature()).toMatchObject({ status: 'active', fence: 2, checkpoint: { notes: 'Posts. Next: errors' } });

    await bob.git('add', '-A');
    await bob.git('commit', '-qm', 'login');
    expect(await bob.nexus('feature', 'done')).toMatchObject({ code: 0 });
    expect((await feature()).status).toBe('done');
    expect(existsSync(`${bob.dir}/.nexus/active/login`)).toBe(false);
  });

  // What the client does there is the same whatever engines the server has.
  const alike = set === 'embedded' ? test : () => undefined;
  alike('of which no keeper knew is kept by the next taker in that worktree, before it edits', async () => {
    const alone = { env: { NEXUS_NO_KEEPER: '1', NEXUS_AGENT: 'codex', NEXUS_AGENT_SESSION: 'gone' } };
    expect(await ann.run('nexus', ['feature', 'pick', 'login'], alone)).toMatchObject({ code: 0 });
    ann.write('src/login/form.ts', 'half done\n');
    const lost = (await feature()).heldBy?.sessionId ?? '';
    await lead.endSession({ projectId, sessionId: lost, body: { reason: 'died' } });
    await readyFeature(lead, projectId, 'style', ['src/login/style.css']);
    const taker = { env: { NEXUS_NO_KEEPER: '1', NEXUS_AGENT: 'codex', NEXUS_AGENT_SESSION: 'next' } };
    expect(await ann.run('nexus', ['feature', 'pick', 'style'], taker)).toMatchObject({ code: 0 });
    ann.write('src/login/form.ts', 'overwritten\n');
    expect((await ann.git('show', `refs/nexus/wip/${lost}:src/login/form.ts`)).out).toBe('half done\n');
    expect(await ann.run('nexus', ['feature', 'release', 'style'], taker)).toMatchObject({ code: 0 });
    expect(await ann.run('nexus', ['feature', 'resume', 'login', '--restore-wip'], taker)).toMatchObject({
      code: 1,
      err: expect.stringContaining('does not fit this worktree'),
    });
    expect(ann.read('src/login/form.ts')).toBe('overwritten\n');
  });
});
