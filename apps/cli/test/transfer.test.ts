import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { onEachEngineSet, startServer, type TestServer } from '../../server/test/harness.ts';
import { type Checkout, treeOf, makeCheckout } from './lib/checkout.ts';

onEachEngineSet('a project leaves and arrives', (set) => {
  let server: TestServer;
  let lead: Client;
  let projectId: string;
  let here: Checkout;

  beforeAll(async () => {
    server = await startServer(set, { REGISTRATION: 'open', LIMIT_WRITE: '0', LIMIT_CLAIM: '0' });
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    ({ projectId, lead } = await server.project());
    const env = { NEXUS_SERVER_URL: server.url, NEXUS_TOKEN: lead.options.apiKey ?? '', NEXUS_AGENT: 'claude', NEXUS_AGENT_SESSION: 'a1' };
    here = await makeCheckout(env);
    here.write('.nexus.json', JSON.stringify({ server: server.url, projectId, slug: 'p' }));
  });
  afterEach(() => here.remove());
  const ok = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await here.nexus(...args);
    expect([args, code, code === 0 ? '' : err]).toEqual([args, 0, '']);
    return out;
  };

  test('export, import and export again give the same files', async () => {
    const other = await server.engineer('Bob');
    await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
    await lead.updateProject({ projectId, body: { policy: { edits: 'strict', brief: ['bun.lock'] }, defaultBranch: 'trunk' } });
    await ok('feature', 'create', '--title', 'Base', '--touches', 'src/base/', '--ready');
    await ok(
      'feature',
      'create',
      '--title',
      'Login',
      '--spec',
      'Größe 💥\n\n---\nno front matter',
      '--touches',
      'src/auth/',
      'ro:docs/',
      '--depends-on',
      'base',
      '--lane',
      'now',
      '--priority',
      '1.5',
    );
    await ok('feature', 'create', '--title', 'Held', '--touches', 'held/', '--ready');
    await ok('feature', 'pick', 'base');
    await ok('feature', 'done');
    await ok('feature', 'pick', 'held');
    await ok('learn', 'Under \u001b[31ma fence', '--kind', 'pitfall', '--tag', 'a', 'b', '--fence', '2');
    await other.addNote({ projectId, body: { content: 'By Bob, of the project' } });
    await other.addLearning({ projectId, slug: 'base', body: { content: 'By Bob, too late' } });
    await ok('decision', 'create', '--title', 'First', '--decision', 'a', '--rationale', 'r', '--feature', 'login');
    await ok('decision', 'create', '--title', 'Second', '--decision', 'b', '--alternatives', 'c', '--supersedes', '1');

    expect(await ok('project', 'export', 'one')).toContain('Exported 3 features, 3 learnings, 2 decisions');
    expect(here.read('one/features/login.md')).toContain('dependsOn:\n  - base\n');
    expect(here.read('one/decisions.md')).toContain('## 1. First (replaced)');
    const restored = await lead.createProject({ body: { name: 'Restored', slug: `r-${crypto.randomUUID()}` } });
    expect(await ok('--project', restored.id, 'project', 'import', 'one')).toContain('Imported 3 features, 3 learnings, 2 decisions');
    await ok('--project', restored.id, 'project', 'export', 'two');
    expect(treeOf(`${here.dir}/two`)).toEqual(treeOf(`${here.dir}/one`));

    const [held, login] = await Promise.all(['held', 'login'].map((slug) => lead.getFeature({ projectId: restored.id, slug })));
    expect([held, login]).toMatchObject([
      { status: 'ready', interrupted: true, heldBy: null },
      { status: 'draft', lane: 'now', priority: 1.5, touches: ['src/auth/', 'ro:docs/'], dependsOn: ['base'] },
    ]);
    expect(await ok('--project', restored.id, 'search', 'fense', '--kind', 'learning')).toContain('learning  held  Lead  #a  #b');
    expect((await lead.listNotes({ projectId: restored.id })).items[1]).toMatchObject({ engineerName: 'Bob' });
    const again = await here.nexus('--project', restored.id, 'project', 'import', 'one');
    expect(again).toMatchObject({ code: 3, err: expect.stringContaining('Import into a new one') });
  });

  test('one file holds it all as well; what is no export is refused and changes nothing', async () => {
    await ok('feature', 'create', '--title', 'A', '--touches', 'a/');
    await ok('project', 'export', 'p.json');
    const restored = await lead.createProject({ body: { name: 'R', slug: `r-${crypto.randomUUID()}` } });
    here.write('notes/x.txt', 'mine');
    here.write('bad.json', here.read('p.json').replace('"draft"', '"active"'));
    for (const args of [
      ['export', 'notes'],
      ['import', 'bad.json'],
      ['import', 'nothing.json'],
      ['import', 'notes'],
    ])
      expect([args, (await here.nexus('--project', restored.id, 'project', ...args)).code]).toEqual([args, 2]);
    expect(here.read('notes/x.txt')).toBe('mine');
    await ok('--project', restored.id, 'project', 'import', 'p.json');
    expect(await ok('--project', restored.id, 'project', 'export', '-')).toBe(here.read('p.json'));
  });

  test('a folder of specs becomes features: each file whole or not at all, and a second run changes nothing', async () => {
    here.write('specs/b.md', '---\ntitle: B\ntouches: [src/b/]\ndependsOn: [a]\n---\nDo b.\n');
    here.write('specs/deep/a.md', '# Alpha\n\nDo a.\n');
    here.write('specs/bad.md', '---\ntouches: [/etc]\n---\n');
    here.write('specs/.hidden/c.md', '# C\n');
    const dry = await here.nexus('import', 'specs', '--dry-run');
    expect(dry).toMatchObject({ code: 1, out: expect.stringMatching(/create +a +specs\/deep\/a\.md[^]*create +b [^]*1 failed, 2 create/) });
    expect((await lead.listFeatures({ projectId })).items).toEqual([]);

    const run = await here.nexus('import', 'specs', '--ready', '--json');
    expect(run.code).toBe(1);
    expect(JSON.parse(run.out)).toMatchObject({ created: 2, failed: 1, files: [{ outcome: 'failed' }, { slug: 'a' }, { slug: 'b' }] });
    expect(await lead.getFeature({ projectId, slug: 'b' })).toMatchObject({ status: 'ready', touches: ['src/b/'], dependsOn: ['a'] });
    expect(await lead.getFeature({ projectId, slug: 'a' })).toMatchObject({ title: 'Alpha', status: 'ready' });

    await here.run('rm', ['specs/bad.md']);
    expect(await here.nexus('import', 'specs')).toMatchObject({ code: 0, out: expect.stringContaining('2 unchanged') });
    here.write('specs/b.md', '---\ntitle: Other\n---\n');
    expect(await here.nexus('import', 'specs')).toMatchObject({
      code: 3,
      out: expect.stringContaining('nexus feature edit b --from specs/b.md'),
    });
    expect(await lead.getFeature({ projectId, slug: 'b' })).toMatchObject({ title: 'B' });
    for (const folder of ['nowhere', '.git/refs', 'specs/b.md']) expect((await here.nexus('import', folder)).code).toBe(2);
  });
});
