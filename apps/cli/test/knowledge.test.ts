import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import { onEachEngineSet, startServer, type TestServer } from '../../server/test/harness.ts';
import { type Checkout, makeCheckout } from './lib/checkout.ts';

onEachEngineSet('knowledge in a repository', (set) => {
  let server: TestServer;
  let projectId: string;
  let ann: Checkout;
  let bob: Checkout;

  beforeAll(async () => {
    server = await startServer(set, { REGISTRATION: 'open' });
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    const { projectId: id, lead } = await server.project();
    projectId = id;
    const other = await server.engineer('Bob');
    await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
    ann = await checkout(lead.options.apiKey, 'a1');
    bob = await checkout(other.options.apiKey, 'b1');
  });
  afterEach(() => {
    ann.remove();
    bob.remove();
  });
  const checkout = async (key: string | undefined, agentSession: string): Promise<Checkout> => {
    const env = { NEXUS_SERVER_URL: server.url, NEXUS_TOKEN: key ?? '', NEXUS_AGENT: 'claude', NEXUS_AGENT_SESSION: agentSession };
    const made = await makeCheckout(env);
    made.write('.nexus.json', JSON.stringify({ server: server.url, projectId, slug: 'p' }));
    return made;
  };
  const ok = async (here: Checkout, ...args: string[]): Promise<string> => {
    const { code, out, err } = await here.nexus(...args);
    expect([args, code, code === 0 ? '' : err]).toEqual([args, 0, '']);
    return out;
  };

  test('what one terminal learns and decides is in the files of the next that picks the feature', async () => {
    await ok(ann, 'feature', 'create', '--title', 'Login', '--touches', 'src/', '--ready');
    await ok(ann, 'feature', 'pick', 'login');
    expect(await ok(ann, 'learn', 'Tokens', 'expire', 'in', 'UTC', '--kind', 'pitfall', '--tag', 'auth')).toBe('Kept for login\n');
    await ok(ann, 'decision', 'create', '--title', 'Cookies', '--decision', 'HttpOnly', '--feature', 'login');
    await ok(ann, 'decision', 'create', '--title', 'Bearer keys', '--decision', 'In the header', '--feature', 'login', '--supersedes', '1');
    await ok(ann, 'feature', 'release');

    const picked = await bob.nexus('feature', 'pick', 'login');
    expect(picked.code).toBe(0);
    expect(bob.read('.nexus/active/login/learnings.md')).toMatch(/Tokens expire in UTC\n\n— Lead, \d{4}-\d\d-\d\d, pitfall #auth/);
    expect(bob.read('.nexus/active/login/decisions.md')).toMatch(/## 1\. Cookies \(replaced\)[^]*## 2\. Bearer keys\n\nIn the header/);

    const stale = await ann.nexus('learn', 'Too late', '--feature', 'login', '--fence', '1');
    expect(stale).toMatchObject({ code: 0, err: expect.stringContaining('a note of the project') });
    expect(await ok(ann, 'learn', 'Of the project', '--no-feature')).toBe('Kept as a note of the project\n');
    expect(await ok(ann, 'learn', 'Of the project as well')).toBe('Kept as a note of the project\n');
    expect(await ok(bob, 'learnings', 'login')).toMatch(/login \(project note\)[^]*Too late[^]*pitfall {2}login {2}Lead {2}#auth/);
    expect(await ok(bob, 'decision', 'list', '--current')).not.toContain('Cookies');
    expect(await ok(bob, 'decision', 'show', '1')).toContain('> 1. Cookies (replaced)\n    2. Bearer keys (stands)');
  });

  test('what anybody wrote is found by anybody, typos and all', async () => {
    await ok(ann, 'feature', 'create', '--title', 'Login', '--spec', 'Throttle guesses of passwords', '--ready');
    await ok(ann, 'learn', '--no-feature', 'bcrypt takes 300 ms on the runner', '--tag', 'auth');
    await ok(ann, 'decision', 'create', '--title', 'Hash with argon2', '--decision', 'bcrypt is too slow');
    const found = await bob.nexus('search', 'bcript', 'slow');
    expect(found.out).toMatch(/^decision  project  Lead .*\n  Hash with argon2\n  \*?\*?bcrypt[^]*\n\nlearning  project  Lead  #auth/);
    expect(found.err).toContain('"bcript" stands nowhere; looked for bcrypt.');
    expect(found.err).toContain('By words alone: the server has no embeddings provider (EMBEDDINGS_URL).');
    expect(await ok(bob, 'search', 'password', '--kind', 'spec', '--since', '7d')).toContain('spec  login');
    expect(await bob.nexus('search', 'password', '--until', '1h')).toMatchObject({ code: 0, out: '' });
    expect(await bob.nexus('search', 'x', '--since', 'soon')).toMatchObject({ code: 2 });
    expect(JSON.parse(await ok(bob, 'search', 'argon2', '--json'))).toMatchObject({
      items: [{ kind: 'decision' }],
      nextCursor: null,
      mode: 'lexical',
      lexicalBecause: 'no_provider',
    });
  });

  test('paths are proposed from the spec and the repository, and what can run side by side is told', async () => {
    ann.write('src/login/form.ts', "import './check.ts';");
    ann.write('src/login/check.ts', 'export const password = 1;');
    ann.write('src/basket.ts', '');
    await ann.git('add', '-A');
    await ann.git('commit', '-q', '-m', 'start');
    await ok(ann, 'feature', 'create', '--title', 'Login form', '--spec', 'Check the password');
    await ok(ann, 'feature', 'create', '--title', 'Basket', '--touches', 'src/basket.ts', '--ready');
    await ok(ann, 'feature', 'create', '--title', 'All', '--touches', 'src/', '--ready');
    const { paths, waves } = JSON.parse(await ok(ann, 'feature', 'suggest', 'login-form', '--json')) as {
      paths: Array<{ path: string }>;
      waves: string[][];
    };
    expect(paths.map(({ path }) => path).toSorted()).toEqual(['src/login/check.ts', 'src/login/form.ts']);
    expect(waves).toEqual([['basket', 'login-form'], ['all']]);
    expect(await ok(ann, 'feature', 'suggest', 'login-form')).toMatch(/ {2}src\/login\/form\.ts\n {4}.*its path has words of the spec/);
    expect(await ann.nexus('feature', 'suggest', 'nothing')).toMatchObject({ code: 5 });
  });

  test('refusals tell what to do, and exit with what they are', async () => {
    expect(await ann.nexus('decision', 'show', '7')).toMatchObject({ code: 5 });
    expect(await ann.nexus('learn', 'x', '--feature', 'nothing')).toMatchObject({ code: 5 });
    expect(await ann.nexus('learn', 'x', '--no-feature', '--fence', '1')).toMatchObject({ code: 2 });
    expect(await ann.nexus('learn', '')).toMatchObject({ code: 2 });
    await ok(ann, 'decision', 'create', '--title', 'A', '--decision', 'a');
    await ok(ann, 'decision', 'create', '--title', 'B', '--decision', 'b', '--supersedes', '1');
    const twice = await ann.nexus('decision', 'create', '--title', 'C', '--decision', 'c', '--supersedes', '1');
    expect(twice).toMatchObject({ code: 3, err: expect.stringContaining('replaced by 2 (B)') });
    expect(JSON.parse(await ok(ann, '--json', 'decision', 'list'))).toMatchObject({ items: [{ number: 2 }, { number: 1 }] });
  });
});
