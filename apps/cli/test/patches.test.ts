import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { spawn } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, onEachEngineSet, readyFeature, startServer, type TestServer } from '../../server/test/harness.ts';
import { type Checkout, makeCheckout } from './lib/checkout.ts';
import { openTerminal } from './lib/terminal.ts';

const lines = (...changed: string[]) => Array.from({ length: 12 }, (_, at) => `${changed[at] ?? `line ${at + 1}`}\n`).join('');
const at = (line: number, text: string) => Array.from({ length: line }, (_, index) => (index === line - 1 ? text : `line ${index + 1}`));

onEachEngineSet('nexus patch', (set) => {
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
    const env = (client: Client, session: string) => ({
      NEXUS_SERVER_URL: server.url,
      NEXUS_PROJECT: projectId,
      NEXUS_TOKEN: client.options.apiKey ?? '',
      NEXUS_SESSION: session,
    });
    const open = async (client: Client) => (await client.openSession({ projectId, body: { agentSessionId: 'main' } })).id;
    [ann, bob] = await Promise.all([makeCheckout(env(lead, await open(lead))), makeCheckout(env(other, await open(other)))]);
    ann.write('src/routes.ts', lines());
    ann.write('src/index.ts', lines());
    ann.write('.gitignore', 'out/\n');
    await ann.git('add', '-A');
    await ann.git('commit', '-qm', 'start');
    rmSync(bob.dir, { recursive: true });
    await bob.run('git', ['clone', '-q', ann.dir, bob.dir], { cwd: '/' });
    await readyFeature(lead, projectId, 'api', ['src/']);
    expect((await ann.nexus('feature', 'pick', 'api')).code).toBe(0);
  });
  afterEach(() => {
    ann.remove();
    bob.remove();
  });

  /** What happens to files is the same whatever the server stands on. */
  const testOfFiles = set === 'embedded' ? test : () => undefined;
  const state = async (id: string) =>
    (await lead.listPatches({ projectId, query: { state: 'any' } })).items.find((one) => one.id.endsWith(id))?.state;
  const status = async (checkout: Checkout) => (await checkout.git('status', '--porcelain')).out;
  /** Bob changes a line, leaves it, and has his files as they were. */
  async function left(path = 'src/routes.ts', text = lines(...at(2, 'login'))): Promise<string> {
    bob.write(path, text);
    const { out, err } = await bob.nexus('patch', 'create', path, '--why', 'the login route', '--restore');
    const id = /^Left (\w{8}) for whoever holds/.exec(out)?.[1];
    if (id === undefined) throw new Error(`${out}${err}`);
    return id;
  }

  test('is left, looked at, and merged by its holder with what is uncommitted there; its author’s files are as they were', async () => {
    ann.write('src/routes.ts', lines(...at(11, 'hers')));
    const id = await left();
    expect([await status(bob), bob.read('src/routes.ts')]).toEqual(['', lines()]);
    expect((await ann.nexus('status')).out).toMatch(new RegExp(`Patches \\(1\\).+\\n.+\\n${id} +src/routes.ts +Bob/agent`));
    expect((await bob.nexus('why', 'src/routes.ts')).out).toContain(`patch    ${id} of Bob`);
    expect((await ann.nexus('patch', 'list', '--for-me')).out).toContain('the login route');
    const { out } = await ann.nexus('patch', 'show', id);
    for (const said of ['What Bob says:\n  | the login route', 'not obeyed:\n  | diff --git', '  | +login\n']) expect(out).toContain(said);

    const applied = await ann.nexus('patch', 'apply', id);
    expect([applied.code, applied.out]).toEqual([0, expect.stringContaining(`Applied ${id} of Bob`)]);
    expect(ann.read('src/routes.ts')).toBe(
      lines(
        ...at(2, 'login'),
        ...lines(...at(11, 'hers'))
          .split('\n')
          .slice(2, 11),
      ),
    );
    expect([await status(ann), await state(id)]).toEqual([' M src/routes.ts\n', 'applied']);
    const again = await ann.nexus('patch', 'apply', id);
    expect([again.code, again.err]).toEqual([3, expect.stringContaining('is applied already')]);
    expect((await ann.git('log', '--oneline')).out.split('\n')).toHaveLength(2);
  });

  testOfFiles('a new file, one that goes and one of another mode travel as well, and what is staged is put back', async () => {
    bob.write('src/new/a b é.ts', 'new\n');
    bob.write('src/routes.ts', lines(...at(3, 'x')), 0o755);
    rmSync(join(bob.dir, 'src/index.ts'));
    await bob.git('add', 'src/new');
    const { out } = await bob.nexus('patch', 'create', 'src/', '--restore', '--json');
    const { id, paths, restored } = JSON.parse(out) as { id: string; paths: string[]; restored: boolean };
    expect([paths.toSorted(), restored]).toEqual([['src/index.ts', 'src/new/a b é.ts', 'src/routes.ts'], true]);
    expect([await status(bob), bob.read('src/index.ts')]).toEqual(['', lines()]);
    expect((await ann.nexus('patch', 'apply', id)).err).toContain('Next: look at it');
    expect(await status(ann)).toBe(' D src/index.ts\n M src/routes.ts\n?? src/new/\n');
    expect(ann.read('src/new/a b é.ts')).toBe('new\n');
    expect((await ann.git('diff', '--summary')).out).toContain('mode change 100644 => 100755 src/routes.ts');
  });

  testOfFiles('what does not fit leaves every file as it was, says so, and stays open until it was made by hand', async () => {
    const id = await left('src/routes.ts', lines(...at(2, 'login')));
    ann.write('src/routes.ts', lines(...at(2, 'hers')));
    ann.write('src/more.ts', 'more\n');
    await ann.git('add', 'src/more.ts');
    const before = [await status(ann), ann.read('src/routes.ts')];
    const { code, err } = await ann.nexus('patch', 'apply', id);
    expect([code, err]).toEqual([3, expect.stringContaining('does not fit src/routes.ts as it is here')]);
    expect([await status(ann), ann.read('src/routes.ts')]).toEqual(before);
    expect(await state(id)).toBe('open');
    expect((await ann.nexus('patch', 'apply', id, '--by-hand')).code).toBe(0);
    expect([await state(id), ann.read('src/routes.ts')]).toEqual(['applied', before[1]]);
  });

  test('who does not hold it is told who does; released, it is its author’s to claim and apply, and done tells so', async () => {
    const id = await left();
    const refused = await bob.nexus('patch', 'apply', id);
    expect([refused.code, refused.err]).toEqual([3, expect.stringMatching(/src\/ is held by Lead/)]);
    expect([await status(bob), await state(id)]).toEqual(['', 'open']);
    const done = await ann.nexus('feature', 'done');
    expect([done.code, done.err]).toEqual([0, expect.stringContaining(`Not applied: patch ${id} of Bob`)]);
    await eventually('it is free', async () => (await bob.nexus('patch', 'list', '--mine')).out.includes('its paths are free'));
    const applied = await bob.nexus('patch', 'apply', id);
    expect([applied.code, applied.out]).toEqual([0, expect.stringContaining('claimed  src/routes.ts')]);
    expect([await status(bob), await state(id)]).toEqual([' M src/routes.ts\n', 'applied']);
    expect((await bob.nexus('claims', 'mine')).out).toContain('src/routes.ts');
  });

  test('done applies what fits first, and is done once that is committed', async () => {
    const [fits, clashes] = [await left(), await left('src/index.ts', lines(...at(2, 'his')))];
    ann.write('src/index.ts', lines(...at(2, 'hers')));
    await ann.git('commit', '-qam', 'hers');
    const first = await ann.nexus('feature', 'done', '--apply-patches');
    expect([first.code, first.err]).toEqual([1, expect.stringContaining('api is not done yet')]);
    expect([await state(fits), await state(clashes), await status(ann)]).toEqual(['applied', 'open', ' M src/routes.ts\n']);
    expect((await lead.getFeature({ projectId, slug: 'api' })).status).toBe('active');
    await ann.git('commit', '-qam', 'his');
    const second = await ann.nexus('feature', 'done', '--apply-patches');
    expect([second.code, second.err]).toEqual([0, expect.stringContaining(`Not applied: patch ${clashes}`)]);
  });

  test('two that apply it at once: one does, and the other’s files are as they were', async () => {
    for (let round = 0; round < 3; round += 1) {
      const text = lines(...at(2 * round + 2, `round ${round}`));
      const id = await left('src/routes.ts', text);
      await ann.nexus('feature', round === 0 ? 'release' : 'cancel', 'api').catch(() => undefined);
      await ann.nexus('claims', 'release');
      await bob.nexus('claims', 'release');
      const both = await Promise.all([ann.nexus('patch', 'apply', id), bob.nexus('patch', 'apply', id)]);
      expect(new Set(both.map(({ code }) => code))).toEqual(new Set([0, 3]));
      const files = [ann, bob].map((checkout) => checkout.read('src/routes.ts'));
      expect(files.toSorted()).toEqual([lines(), text].toSorted());
      const events = (await lead.events({ projectId, query: { after: '0', limit: 1000 } })).items;
      expect(events.filter(({ type }) => type === 'patch_applied')).toHaveLength(round + 1);
      await Promise.all([ann, bob].map((checkout) => checkout.git('checkout', '-q', '.')));
      await Promise.all([ann, bob].map((checkout) => checkout.nexus('claims', 'release')));
      expect((await ann.nexus('claims', 'add', 'src/routes.ts')).code).toBe(0);
    }
  });

  test('cut off between the files and the server, it is run again and changes nothing twice', async () => {
    const id = await left();
    const { diff } = await lead.getPatch({ projectId, patchId: (await lead.listPatches({ projectId })).items[0]?.id ?? '' });
    expect((await ann.run('git', ['apply'], { stdin: diff })).code).toBe(0);
    const again = await ann.nexus('patch', 'apply', id);
    expect([again.code, again.out]).toEqual([0, expect.stringContaining(`src/routes.ts had it already: ${id} is applied`)]);
    expect(ann.read('src/routes.ts')).toBe(lines(...at(2, 'login')));
  });

  testOfFiles('killed at any moment, it is run again: the change is there once, and counts once', async () => {
    let expected = lines();
    for (const [round, delay] of [80, 160, 240, 320].entries()) {
      const line = 3 * round + 2;
      const id = await left('src/routes.ts', lines(...at(line, `round ${round}`)));
      const child = spawn(join(ann.dir, '..', 'bin', 'nexus'), ['patch', 'apply', id], { cwd: ann.dir, env: ann.env, stdio: 'ignore' });
      const gone = new Promise((resolve) => child.on('close', resolve));
      await Bun.sleep(delay);
      child.kill('SIGKILL');
      await gone;
      // A git that it had started ends by itself.
      await Bun.sleep(300);
      const { code, err } = await ann.nexus('patch', 'apply', id);
      expect([code, err]).toEqual([code === 0 ? 0 : 3, code === 0 ? expect.any(String) : expect.stringContaining('applied already')]);
      expected = expected.replace(`line ${line}\n`, `round ${round}\n`);
      expect([ann.read('src/routes.ts'), await state(id)]).toEqual([expected, 'applied']);
    }
    const events = (await lead.events({ projectId, query: { after: '0', limit: 1000 } })).items;
    expect(events.filter(({ type }) => type === 'patch_applied')).toHaveLength(4);
    expect(await status(ann)).toBe(' M src/routes.ts\n');
  });

  testOfFiles('where files must not be edited, a copy says what they shall be, and a diff by hand may count wrong', async () => {
    bob.write('out/copy.ts', lines(...at(5, 'copied')));
    const copied = await bob.nexus('patch', 'create', 'src/routes.ts', '--as', 'out/copy.ts');
    expect([copied.code, copied.err]).toEqual([0, '']);
    const typed = '--- a/src/index.ts\n+++ b/src/index.ts\n@@ -1,9 +1,9 @@\n line 1\n-line 2\n+typed\n line 3';
    const piped = await bob.run('nexus', ['patch', 'create', '--from', '-'], { stdin: typed });
    expect(piped.code).toBe(0);
    expect(await status(bob)).toBe('');
    for (const { out } of [copied, piped]) expect((await ann.nexus('patch', 'apply', /Left (\w{8})/.exec(out)?.[1] ?? '')).code).toBe(0);
    expect([ann.read('src/routes.ts'), ann.read('src/index.ts')]).toEqual([lines(...at(5, 'copied')), lines(...at(2, 'typed'))]);
    const raw = await bob.nexus('patch', 'show', /Left (\w{8})/.exec(copied.out)?.[1] ?? '', '--raw');
    expect((await bob.run('git', ['apply', '--check'], { stdin: raw.out })).code).toBe(0);
  });

  testOfFiles('nothing is put back that would be lost: what is staged beside the change, and what never reached the server', async () => {
    bob.write('src/routes.ts', lines(...at(2, 'staged')));
    await bob.git('add', 'src/routes.ts');
    bob.write('src/routes.ts', lines(...at(2, 'newer')));
    const kept = await bob.nexus('patch', 'create', 'src/routes.ts', '--restore');
    expect([kept.code, kept.err]).toEqual([0, expect.stringContaining('nothing was put back')]);
    expect([await status(bob), bob.read('src/routes.ts')]).toEqual(['MM src/routes.ts\n', lines(...at(2, 'newer'))]);
    await ann.nexus('feature', 'release', 'api');
    const refused = await bob.nexus('patch', 'create', 'src/routes.ts', '--restore');
    expect([refused.code, refused.err]).toEqual([3, expect.stringContaining('claim and change it yourself')]);
    const away = await bob.run('nexus', ['patch', 'create', 'src/routes.ts', '--restore'], {
      env: { NEXUS_SERVER_URL: 'http://127.0.0.1:1' },
    });
    expect(away.code).toBe(6);
    expect(bob.read('src/routes.ts')).toBe(lines(...at(2, 'newer')));
  });

  testOfFiles('what is no patch is refused, and says what to do', async () => {
    const said = async (...args: string[]) => {
      const { code, err } = await bob.nexus('patch', ...args);
      return `${code} ${err}`;
    };
    expect(await said('create')).toMatch(/^2 .*--from/);
    expect(await said('create', 'src/routes.ts')).toMatch(/^1 .*Nothing differs from HEAD/);
    expect(await said('create', 'src/none.ts')).toMatch(/^1 .*did not match/);
    bob.write('src/image.bin', 'a\u0000b');
    expect(await said('create', 'src/image.bin')).toMatch(/^2 .*src\/image\.bin is binary/);
    bob.write('src/big.ts', 'x'.repeat(70_000));
    expect(await said('create', 'src/big.ts')).toMatch(/^2 .*69 KB, and a patch has at most 64/);
    symlinkSync('/etc/passwd', join(bob.dir, 'src/link.ts'));
    expect(await said('create', 'src/link.ts')).toMatch(/^2 .*no regular file/);
    bob.write('src/routes.ts', lines(...at(2, 'x')));
    expect(await said('create', 'src/routes.ts', '--from', 'x')).toMatch(/^2 /);
    expect(await said('show', '12345678')).toMatch(/^5 /);
    expect(await said('apply', crypto.randomUUID())).toMatch(/^5 /);
    expect(await said('reject', '12345678')).toMatch(/^2 /);
  });

  testOfFiles('a file behind a symlink is not written', async () => {
    bob.write('src/sub/x.ts', 'x\n');
    const id = await left('src/sub/x.ts', 'x\n');
    symlinkSync(bob.dir, join(ann.dir, 'src/sub'));
    const { code, err } = await ann.nexus('patch', 'apply', id);
    expect([code, err]).toEqual([1, expect.stringContaining('src/sub is a symlink')]);
    expect(await status(ann)).toBe('?? src/sub\n');
  });

  test('when the holder is killed, the author applies it', async () => {
    await ann.nexus('feature', 'release', 'api');
    const terminal = openTerminal({ dir: ann.dir, env: { ...ann.env, NEXUS_SESSION: '', NEXUS_NO_KEEPER: '', NEXUS_BEAT_SECONDS: '1' } });
    try {
      expect((await terminal.run('nexus feature pick api')).code).toBe(0);
      const id = await left();
      expect((await bob.nexus('patch', 'apply', id)).code).toBe(3);
      terminal.kill();
      await eventually('it is free', async () => (await bob.nexus('patch', 'list', '--mine')).out.includes('its paths are free'));
      expect((await bob.nexus('patch', 'apply', id)).code).toBe(0);
    } finally {
      terminal.close();
      await ann.nexus('keeper', 'stop');
    }
  });

  test('rejected or withdrawn, with a word', async () => {
    const [first, second] = [await left(), await left()];
    expect((await bob.nexus('patch', 'reject', first, '-m', 'no')).code).toBe(3);
    expect((await ann.nexus('patch', 'reject', first, '-m', 'it moved')).out).toContain(`Rejected ${first} of Bob`);
    expect((await bob.nexus('patch', 'show', first)).out).toContain('The answer:\n  | it moved');
    expect((await bob.nexus('patch', 'withdraw', second)).out).toContain(`Withdrew ${second}`);
    expect((await bob.nexus('patch', 'list')).out).toBe('');
    expect((await bob.nexus('patch', 'list', '--all')).out).toContain('rejected');
  });
});
