import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, readyFeature, startServer, type TestServer } from '../../server/test/harness.ts';
import type { RunGit } from '../src/hook/dirty.ts';
import { append, git, type Machine, makeFolder, makeMachine, makeRepository, write } from './lib/hook-world.ts';

let server: TestServer;
let lead: Client;
let bob: Client;
let projectId: string;
let folder: { dir: string; remove: () => void };
let repo: string;
let here: Machine;
let there: Machine;

beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  const other = await server.engineer('Bob');
  await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
  bob = other;
  folder = makeFolder();
  repo = join(folder.dir, 'repo');
  makeRepository(repo, { server: server.url, projectId, slug: 'p' });
  here = makeMachine({ server, client: lead, home: join(folder.dir, 'ann') });
  there = makeMachine({ server, client: bob, home: join(folder.dir, 'bob') });
});
afterEach(() => {
  here.stop();
  there.stop();
  folder.remove();
});

const claims = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await lead.listClaims({ projectId })).map(({ filePath, engineerName }) => [filePath, engineerName]));
const sessionOf = async (agentSessionId: string) =>
  (await lead.status({ projectId })).sessions.find((session) => session.agentSessionId === agentSessionId);

describe('an edit', () => {
  test('of a free path is claimed, and the next one of it asks nobody', async () => {
    const ann = here.agent(repo);
    expect(await ann.edit('src/a.ts')).toEqual({});
    expect(await claims()).toEqual({ 'src/a.ts': 'Lead' });
    here.calls();
    for (let n = 0; n < 3; n += 1) expect(await ann.edit('src/a.ts')).toEqual({});
    expect(here.calls()).toEqual([]);
  });

  test('of a path that another session holds is denied: in full once a turn, then in one line', async () => {
    await readyFeature(lead, projectId, 'api', ['src/']);
    const [ann, ben] = [here.agent(repo), there.agent(repo)];
    await ben.edit('docs/x.md');
    await bob.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ben.sessionId}` });
    const first = (await ann.edit('src/a.ts')).deny ?? '';
    for (const said of ['src/a.ts', 'Bob', 'feature api', 'src/', 'nexus feature pick-next']) expect(first).toContain(said);
    const second = (await ann.edit('src/a.ts')).deny ?? '';
    expect(second).toContain('still claimed by Bob');
    expect(second.length).toBeLessThan(first.length / 2);
    await ann.send('UserPromptSubmit', { prompt: 'go on' });
    expect((await ann.edit('src/a.ts')).deny).toContain('pick-next');
    expect(await claims()).toEqual({ 'src/': 'Bob', 'docs/x.md': 'Bob' });
  });

  test('of a path that a pattern of its own takes in asks nobody; of another’s it is denied by the pattern’s name', async () => {
    await readyFeature(lead, projectId, 'types', ['src/*.ts']);
    const [ann, ben] = [here.agent(repo), there.agent(repo)];
    await ann.start();
    await lead.pickFeature({ projectId, slug: 'types' }, { session: `claude:${ann.sessionId}` });
    here.clock.ahead += 30_000;
    let edits = 0;
    await eventually('what it holds is read again', async () => {
      here.calls();
      await ann.edit(`src/new-${(edits += 1)}.ts`);
      return here.calls().length === 0;
    });
    for (const path of ['src/a.ts', 'src/b.ts']) expect(await ann.edit(path)).toEqual({});
    expect(here.calls()).toEqual([]);
    expect((await ben.edit('src/b.ts')).deny).toContain('held as src/*.ts');
    expect(await ben.edit('src/b.md')).toEqual({});
    expect(await claims()).toEqual({ 'src/*.ts': 'Lead', 'src/b.md': 'Bob' });
  });

  test('two agents of one person keep out of each other’s way too', async () => {
    const [one, two] = [here.agent(repo), here.agent(repo)];
    await one.edit('src/a.ts');
    expect((await two.edit('src/a.ts')).deny).toContain('src/a.ts is claimed by Lead');
  });

  test('extends the one feature that the session holds', async () => {
    await readyFeature(lead, projectId, 'api', ['src/a.ts']);
    const ann = here.agent(repo);
    await ann.start();
    await lead.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ann.sessionId}` });
    await ann.bash('true nexus feature pick api');
    expect(await ann.edit('src/b.ts')).toEqual({});
    const held = await lead.listClaims({ projectId });
    expect(held.map(({ filePath, featureSlug }) => [filePath, featureSlug])).toEqual([
      ['src/a.ts', 'api'],
      ['src/b.ts', 'api'],
    ]);
  });

  test('of a brief path is claimed apart from the feature, so that a commit can give it back', async () => {
    await lead.updateProject({ projectId, body: { policy: { brief: ['bun.lock'] } } });
    await readyFeature(lead, projectId, 'api', ['src/']);
    const ann = here.agent(repo);
    await ann.start();
    await lead.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ann.sessionId}` });
    await ann.bash('true nexus');
    expect(await ann.bash('echo x > bun.lock; echo y > docs/x.md')).toEqual({ before: {}, after: {} });
    const held = await lead.listClaims({ projectId });
    expect(Object.fromEntries(held.map(({ filePath, featureSlug }) => [filePath, featureSlug]))).toEqual({
      'src/': 'api',
      'docs/x.md': 'api',
      'bun.lock': null,
    });
  });

  test('of a brief path is given back by the commit that has it, by no other', async () => {
    await lead.updateProject({ projectId, body: { policy: { brief: ['bun.lock', 'package.json'] } } });
    const ann = here.agent(repo);
    await ann.bash('echo x > bun.lock; echo y > package.json; echo z > docs/x.md');
    await ann.bash('git add bun.lock package.json && git commit -qm x -- docs/x.md');
    expect(Object.keys(await claims()).sort()).toEqual(['bun.lock', 'docs/x.md', 'package.json']);
    await ann.bash('git commit -qm y -- bun.lock');
    expect(Object.keys(await claims()).sort()).toEqual(['docs/x.md', 'package.json']);
    expect(await ann.edit('bun.lock')).toEqual({});
    expect(await claims()).toMatchObject({ 'bun.lock': 'Lead' });
  });

  test('is judged by its own file: a linked worktree names the same path, another repository nothing', async () => {
    const worktree = join(folder.dir, 'linked');
    git(repo, 'worktree', 'add', '-q', worktree);
    const [one, two] = [here.agent(repo), there.agent(worktree)];
    await one.edit('src/a.ts');
    expect((await two.edit('src/a.ts')).deny).toContain('src/a.ts');
    expect((await two.edit(join(repo, 'src/a.ts'))).deny).toContain('src/a.ts');
    write(folder.dir, 'free.txt');
    here.calls();
    expect(await one.edit(join(folder.dir, 'free.txt'))).toEqual({});
    expect(here.calls()).toEqual([]);
  });

  test('of a notebook is an edit', async () => {
    const [one, two] = [here.agent(repo), there.agent(repo)];
    const notebook = { tool_name: 'NotebookEdit', tool_input: { notebook_path: join(repo, 'n.ipynb') } };
    expect(await one.send('PreToolUse', notebook)).toEqual({});
    expect((await two.send('PreToolUse', notebook)).deny).toContain('n.ipynb is claimed by Lead');
  });

  test('of an ignored or derived path is nobody’s business', async () => {
    await lead.updateProject({ projectId, body: { policy: { derived: ['gen/'] } } });
    await bob.claim({ projectId, body: { paths: ['gen/', 'dist/'] } });
    const ann = here.agent(repo);
    expect(await ann.edit('dist/x.js')).toEqual({});
    expect(await ann.edit('gen/x.ts')).toEqual({});
    expect(await sessionOf(ann.sessionId)).toBeUndefined();
  });

  test('of a free path is refused in a strict project until it is declared, and only told in one that warns', async () => {
    await lead.updateProject({ projectId, body: { policy: { edits: 'strict' } } });
    const ann = here.agent(repo);
    expect((await ann.edit('src/a.ts')).deny).toContain('nexus claims add src/a.ts');
    await lead.claim({ projectId, body: { paths: ['src/a.ts'] } }, { session: `claude:${ann.sessionId}` });
    expect(await ann.edit('src/a.ts')).toEqual({});
    await lead.updateProject({ projectId, body: { policy: { edits: 'warn' } } });
    here.clock.ahead += 61_000;
    const told = await ann.edit('src/b.ts');
    expect(told.deny).toBeUndefined();
    expect(told.context).toContain('src/b.ts is free');
    expect((await ann.bash('eval "echo z >> src/c.ts"')).after.context).toContain('src/c.ts is free');
    expect(Object.keys(await claims())).toEqual(['src/a.ts']);
  });

  test('counts for what the keeper reports', async () => {
    const ann = here.agent(repo);
    await bob.claim({ projectId, body: { paths: ['src/b.ts'] } });
    await ann.edit('src/a.ts');
    await ann.edit('src/a.ts');
    await ann.edit('src/b.ts');
    const counted = async () => JSON.stringify((await lead.status({ projectId })).edits) === '{"tried":3,"denied":1}';
    await eventually('the counts are known', counted);
  });

  test('in a repository without Nexus, or without a login, makes no call', async () => {
    const plain = join(folder.dir, 'plain');
    makeRepository(plain, {});
    git(plain, 'rm', '-q', '.nexus.json');
    const ann = here.agent(plain);
    expect(await ann.start()).toEqual({});
    expect(await ann.edit('src/a.ts')).toEqual({});
    expect(await ann.bash('git reset --hard')).toEqual({ before: {}, after: {} });
    const elsewhere = { NEXUS_CONFIG_DIR: join(folder.dir, 'nobody') };
    expect(await here.agent(repo).edit('src/a.ts', { env: elsewhere })).toEqual({});
    expect(here.calls()).toEqual([]);
  });
});

describe('subagents', () => {
  test('exclude each other, work within what their parent holds, and leave it what they claimed', async () => {
    const ann = here.agent(repo);
    await ann.edit('src/a.ts');
    await ann.send('SubagentStart', { agent_id: 'x', agent_type: 'Explore' });
    expect(await ann.edit('src/a.ts', { agent_id: 'x' })).toEqual({});
    expect((await ann.edit('src/a.ts', { agent_id: 'y' })).deny).toContain('src/a.ts is claimed by');
    expect(await ann.edit('src/b.ts', { agent_id: 'y' })).toEqual({});
    expect((await ann.edit('src/b.ts', { agent_id: 'x' })).deny).toContain('src/b.ts');
    const parent = await sessionOf(ann.sessionId);
    expect((await sessionOf(`${ann.sessionId}/x`))?.parentId).toBe(parent?.id ?? '');
    await ann.send('SubagentStop', { agent_id: 'y' });
    expect(await sessionOf(`${ann.sessionId}/y`)).toBeUndefined();
    expect((await lead.myClaims({ projectId }, { session: parent?.id })).map(({ filePath }) => filePath).sort()).toEqual([
      'src/a.ts',
      'src/b.ts',
    ]);
    expect((await there.agent(repo).edit('src/b.ts')).deny).toContain('src/b.ts');
  });
});

describe('a command', () => {
  test('that writes a path that another session holds is denied before, or told of afterwards', async () => {
    const [ann, ben] = [here.agent(repo), there.agent(join(repo, 'docs'))];
    await ben.edit(join(repo, 'src/a.ts'));
    expect((await ann.bash('echo x >> src/a.ts')).before.deny).toContain('src/a.ts is claimed by Bob');
    expect((await ann.bash('sed -i s/a/b/ src/a.ts')).before.deny).toBeDefined();
    const { before, after } = await ann.bash('eval "echo y >> src/a.ts"; eval "echo z >> src/c.ts"');
    expect(before).toEqual({});
    expect(after.context).toContain('src/a.ts (Bob');
    expect(await claims()).toEqual({ 'src/a.ts': 'Bob', 'src/c.ts': 'Lead' });
  });

  test('that failed, or whose end is heard after the next one began, is looked at all the same', async () => {
    const ann = here.agent(repo);
    await ann.start();
    const call = (id: string) => ({ tool_name: 'Bash', tool_use_id: id, tool_input: { command: 'make' } });
    await ann.send('PreToolUse', call('one'));
    write(repo, 'src/one.ts');
    await ann.send('PreToolUse', call('two'));
    write(repo, 'src/two.ts');
    await ann.send('PostToolUseFailure', { ...call('two'), error: 'Exit code 2' });
    expect(Object.keys(await claims())).toEqual(['src/two.ts']);
    await ann.send('PostToolUse', call('one'));
    expect(Object.keys(await claims()).sort()).toEqual(['src/one.ts', 'src/two.ts']);
  });

  test('in a worktree that git is too slow in waits for it once a minute', async () => {
    const asked: string[] = [];
    const run: RunGit = (_dir, [verb = '']) => Promise.resolve(void asked.push(verb));
    const slow = makeMachine({ server, client: lead, home: join(folder.dir, 'slow'), run });
    const ann = slow.agent(repo);
    await ann.start();
    for (let n = 0; n < 3; n += 1) expect(await ann.bash('make')).toEqual({ before: {}, after: {} });
    expect(asked).toEqual(['status']);
    slow.clock.ahead += 61_000;
    await ann.bash('make');
    expect(asked).toEqual(['status', 'status']);
    slow.stop();
  });

  test('claims the free paths that it writes', async () => {
    const ann = here.agent(repo);
    expect(await ann.bash('cp src/a.ts src/new.ts')).toEqual({ before: {}, after: {} });
    expect(await claims()).toEqual({ 'src/new.ts': 'Lead' });
  });

  test('that only reads asks nobody', async () => {
    const ann = here.agent(repo);
    await ann.start();
    here.calls();
    expect(await ann.bash('ls -la && git status && cat src/a.ts | grep a')).toEqual({ before: {}, after: {} });
    expect(here.calls()).toEqual([]);
  });

  test('is not blamed for what another agent wrote in the same worktree meanwhile', async () => {
    const [ann, ben] = [here.agent(repo), here.agent(repo)];
    await ann.start();
    await ben.start();
    const tool = { tool_name: 'Bash', tool_input: { command: 'make' } };
    await ann.send('PreToolUse', tool);
    await ben.edit('src/b.ts');
    append(repo, 'src/b.ts');
    expect(await ann.send('PostToolUse', tool)).toEqual({});
  });

  test('of git that writes the whole worktree is denied while another live session has uncommitted paths in it', async () => {
    const [ann, ben] = [here.agent(repo), here.agent(repo)];
    await ann.start();
    await ben.edit('src/b.ts');
    expect((await ann.send('PreToolUse', { tool_name: 'Bash', tool_input: { command: 'git stash' } })).deny).toBeUndefined();
    append(repo, 'src/b.ts');
    for (const command of [
      'git reset --hard',
      'git checkout main',
      'git stash',
      'git add -A',
      'git commit -am x',
      'git pull',
      'git clean -fd',
      'cd src && git checkout .',
    ]) {
      const { deny } = await ann.send('PreToolUse', { tool_name: 'Bash', tool_input: { command } });
      expect([command, deny]).toEqual([command, expect.stringContaining('src/b.ts (Lead, ad hoc)')]);
    }
    for (const command of ['git add src/a.ts', 'git commit -m x', 'cd docs && git checkout .']) {
      expect(await ann.send('PreToolUse', { tool_name: 'Bash', tool_input: { command } })).toEqual({});
    }
    // It is the work of the one who holds it, and of nobody in another worktree.
    expect(await ben.send('PreToolUse', { tool_name: 'Bash', tool_input: { command: 'git stash' } })).toEqual({});
    const worktree = join(folder.dir, 'linked');
    git(repo, 'worktree', 'add', '-q', worktree);
    const cleo = here.agent(worktree);
    append(worktree, 'src/a.ts');
    expect(await cleo.send('PreToolUse', { tool_name: 'Bash', tool_input: { command: 'git stash' } })).toEqual({});
  });
});

describe('a conversation', () => {
  test('begins with its session, what others hold, and how its shell finds it', async () => {
    await bob.claim({ projectId, body: { paths: ['docs/'] } });
    const ann = here.agent(repo);
    const file = join(folder.dir, 'env');
    const { context = '' } = await ann.start('startup', { env: { CLAUDE_ENV_FILE: file } });
    const session = await sessionOf(ann.sessionId);
    for (const said of [session?.id.slice(-8) ?? '?', 'holds nothing', 'docs/', 'Bob', 'nexus feature pick-next'])
      expect(context).toContain(said);
    expect(context.split('\n').length).toBeLessThan(14);
    expect(readFileSync(file, 'utf8')).toBe(`export NEXUS_SESSION=claude:${ann.sessionId}\n`);
    expect(session).toMatchObject({ keeper: true, metadata: { worktree: repo, gitBranch: 'main', pid: process.pid } });
    await ann.start('compact');
    expect((await sessionOf(ann.sessionId))?.id).toBe(session?.id ?? '');
  });

  test('is told nothing at a prompt until something changed for it', async () => {
    const [ann, ben] = [here.agent(repo), there.agent(repo)];
    await ben.edit('src/a.ts');
    await ann.start();
    expect(await ann.send('UserPromptSubmit')).toEqual({});
    await ann.edit('src/a.ts');
    expect(await ann.send('UserPromptSubmit')).toEqual({});
    await ben.send('SessionEnd', { reason: 'other' });
    expect((await ann.send('UserPromptSubmit')).context).toContain('src/a.ts is free now');
    expect(await ann.send('UserPromptSubmit')).toEqual({});
  });

  test('is told when its hold was taken from it', async () => {
    await readyFeature(lead, projectId, 'api', ['src/']);
    const ann = here.agent(repo);
    await ann.start();
    const { fence } = await lead.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ann.sessionId}` });
    await ann.bash('true nexus');
    expect(await ann.edit('src/a.ts')).toEqual({});
    await lead.forceReleaseFeature({ projectId, slug: 'api', body: { fence: fence ?? 0, reason: 'x' } });
    // A beat that is under way may hear it first; then it is told with the prompt after.
    const told = [(await ann.send('UserPromptSubmit')).context ?? ''];
    for (let prompt = 0; prompt < 40 && !told.at(-1); prompt += 1) {
      await Bun.sleep(50);
      told.push((await ann.send('UserPromptSubmit')).context ?? '');
    }
    expect(told.join('')).toContain('The hold of feature api');
  });

  test('that ends with uncommitted work leaves its feature parked, and takes it up again when it is continued', async () => {
    await readyFeature(lead, projectId, 'api', ['src/']);
    await readyFeature(lead, projectId, 'docs', ['docs/*.md', 'app/[id]/*']);
    await readyFeature(lead, projectId, 'wild', ['lib/**/[id]*']);
    const ann = here.agent(repo);
    await ann.start();
    write(repo, 'lib/[id].ts', 'x');
    git(repo, 'add', '-A');
    git(repo, 'commit', '-q', '-m', 'lib');
    git(repo, 'branch', 'other', 'HEAD~1');
    for (const slug of ['api', 'docs', 'wild']) await lead.pickFeature({ projectId, slug }, { session: `claude:${ann.sessionId}` });
    append(repo, 'src/a.ts');
    await ann.send('SessionEnd', { reason: 'prompt_input_exit' });
    expect(await lead.getFeature({ projectId, slug: 'api' })).toMatchObject({ status: 'active', heldBy: { parked: true } });
    expect(await lead.getFeature({ projectId, slug: 'docs' })).toMatchObject({ status: 'ready' });
    // Its commit is on no other branch.
    expect(await lead.getFeature({ projectId, slug: 'wild' })).toMatchObject({ status: 'active', heldBy: { parked: true } });
    const { context } = await ann.start('resume');
    expect(context).toContain('It resumed api, docs, wild');
    expect(await lead.getFeature({ projectId, slug: 'api' })).toMatchObject({ heldBy: { parked: false, agent: 'claude' } });
    expect(await ann.edit('src/a.ts')).toEqual({});
  });

  test('that is continued takes up what it gave back by ending, and what its death cost it, unless others took that', async () => {
    for (const slug of ['api', 'docs', 'ui']) await readyFeature(lead, projectId, slug, [`${slug}/`]);
    const ann = here.agent(repo);
    await ann.start();
    await lead.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ann.sessionId}` });
    await ann.send('SessionEnd', { reason: 'other' });
    expect(await lead.getFeature({ projectId, slug: 'api' })).toMatchObject({ status: 'ready', interrupted: false });
    expect((await ann.start('resume')).context).toContain('It resumed api');
    for (const slug of ['docs', 'ui']) await lead.pickFeature({ projectId, slug }, { session: `claude:${ann.sessionId}` });
    await lead.endSession({ projectId, sessionId: (await sessionOf(ann.sessionId))?.id ?? '', body: { reason: 'died' } });
    await bob.resumeFeature({ projectId, slug: 'docs' });
    const { context = '' } = await ann.start('resume');
    expect(context).toContain('It resumed api, ui');
    expect(await lead.getFeature({ projectId, slug: 'docs' })).toMatchObject({ heldBy: { engineerName: 'Bob' } });
    await lead.releaseFeature({ projectId, slug: 'ui' }, { session: `claude:${ann.sessionId}` });
    await ann.send('SessionEnd', { reason: 'other' });
    expect((await ann.start('resume')).context).toContain('It resumed api,');
  });

  test('that went on in a worktree of its own is there for everybody, and what it leaves there is parked', async () => {
    await readyFeature(lead, projectId, 'api', ['src/']);
    const worktree = join(repo, '.claude', 'worktrees', 'side');
    git(repo, 'worktree', 'add', '-q', worktree);
    const ann = here.agent(repo);
    await ann.start();
    await lead.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ann.sessionId}` });
    await ann.edit(join(worktree, 'src/a.ts'), { cwd: worktree });
    append(worktree, 'src/a.ts');
    expect((await sessionOf(ann.sessionId))?.metadata).toMatchObject({ worktree, gitBranch: 'side' });
    await ann.send('SessionEnd', { reason: 'other', cwd: worktree });
    expect(await lead.getFeature({ projectId, slug: 'api' })).toMatchObject({ status: 'active', heldBy: { parked: true } });
  });

  test('whose keeper was restarted ends all the same', async () => {
    await readyFeature(lead, projectId, 'api', ['src/']);
    const ann = here.agent(repo);
    await ann.start();
    await lead.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ann.sessionId}` });
    append(repo, 'src/a.ts');
    here.restartKeeper();
    await ann.send('SessionEnd', { reason: 'other' });
    // On a busy machine the work goes on behind the answer.
    await eventually('the session is over', async () => (await sessionOf(ann.sessionId)) === undefined);
    expect(await lead.getFeature({ projectId, slug: 'api' })).toMatchObject({ status: 'active', heldBy: { parked: true } });
    await here.agent(repo).send('SessionEnd', { reason: 'other' });
    expect((await lead.activeSessions({ projectId })).filter(({ session }) => session.agent === 'claude')).toEqual([]);
  });

  test('that was cleared keeps what it holds, under its new id', async () => {
    await readyFeature(lead, projectId, 'api', ['src/']);
    const ann = here.agent(repo);
    await ann.start();
    await lead.pickFeature({ projectId, slug: 'api' }, { session: `claude:${ann.sessionId}` });
    await ann.edit('docs/x.md');
    await ann.send('SessionEnd', { reason: 'clear' });
    expect(await lead.getFeature({ projectId, slug: 'api' })).toMatchObject({ heldBy: { parked: false } });
    const again = here.agent(repo);
    expect((await again.start('clear')).context).toContain('feature api');
    const held = await lead.myClaims({ projectId }, { session: `claude:${again.sessionId}` });
    expect(held.map(({ filePath }) => filePath).sort()).toEqual(['docs/x.md', 'src/']);
    expect(await sessionOf(ann.sessionId)).toBeUndefined();
  });

  test('goes on in a new session after its own was lost, and says so', async () => {
    const ann = here.agent(repo);
    await ann.edit('src/a.ts');
    const before = await sessionOf(ann.sessionId);
    await lead.endSession({ projectId, sessionId: before?.id ?? '', body: { reason: 'died' } });
    expect((await ann.edit('src/b.ts')).context).toContain('was over');
    expect((await sessionOf(ann.sessionId))?.id).not.toBe(before?.id ?? '');
    expect(await claims()).toEqual({ 'src/b.ts': 'Lead' });
  });
});

describe('while the server is away', () => {
  const journal = () => join(repo, '.git', 'nexus', 'journal.jsonl');

  test('own claims go on; other edits are let through, told once, and compared afterwards', async () => {
    const ann = here.agent(repo);
    await ann.edit('src/a.ts');
    here.offline(true);
    expect(await ann.edit('src/a.ts')).toEqual({});
    expect((await ann.edit('src/b.ts')).notice).toContain('does not answer');
    expect(await ann.edit('src/c.ts')).toEqual({});
    expect(readFileSync(journal(), 'utf8').trim().split('\n')).toHaveLength(2);
    await bob.claim({ projectId, body: { paths: ['src/b.ts'] } });
    here.offline(false);
    here.clock.ahead += 6000;
    const { context, deny } = await ann.edit('docs/x.md');
    expect(deny).toBeUndefined();
    expect(context).toContain('src/b.ts (Bob');
    expect(context).not.toContain('src/c.ts');
    expect(await claims()).toEqual({ 'src/a.ts': 'Lead', 'src/b.ts': 'Bob', 'src/c.ts': 'Lead', 'docs/x.md': 'Lead' });
    expect(readFileSync(journal(), 'utf8')).toBe('');
    expect(await ann.edit('docs/x.md')).toEqual({});
  });

  test('what a command wrote is remembered too, and compared at the next prompt', async () => {
    const ann = here.agent(repo);
    await ann.edit('src/a.ts');
    here.offline(true);
    expect((await ann.bash('eval "echo x >> src/a.ts; echo y >> src/b.ts; echo z >> src/c.ts"')).after).toEqual({});
    expect(readFileSync(journal(), 'utf8')).not.toContain('src/a.ts');
    await bob.claim({ projectId, body: { paths: ['src/b.ts'] } });
    here.offline(false);
    here.clock.ahead += 6000;
    const { context = '' } = await ann.send('UserPromptSubmit');
    expect(context).toContain('src/b.ts (Bob');
    expect(context).not.toContain('src/c.ts');
    expect(await claims()).toEqual({ 'src/a.ts': 'Lead', 'src/b.ts': 'Bob', 'src/c.ts': 'Lead' });
    expect(await ann.send('UserPromptSubmit')).toEqual({});
  });

  test('a laptop that comes back after its session was lost is told what others took of what it had', async () => {
    const ann = here.agent(repo);
    for (const path of ['src/a.ts', 'src/b.ts']) await ann.edit(path);
    const before = await sessionOf(ann.sessionId);
    here.offline(true);
    // Its lease is over here, and its session at the server.
    here.restartKeeper();
    await lead.endSession({ projectId, sessionId: before?.id ?? '', body: { reason: 'died' } });
    for (const path of ['src/a.ts', 'src/b.ts']) expect((await ann.edit(path)).deny).toBeUndefined();
    await bob.claim({ projectId, body: { paths: ['src/a.ts'] } });
    here.offline(false);
    here.clock.ahead += 6000;
    expect((await ann.send('UserPromptSubmit')).context).toContain('src/a.ts (Bob');
    expect(await claims()).toEqual({ 'src/a.ts': 'Bob', 'src/b.ts': 'Lead' });
    expect((await ann.edit('src/a.ts')).deny).toContain('src/a.ts is claimed by Bob');
  });

  test('a strict project denies what cannot be checked, also under a new keeper', async () => {
    await lead.updateProject({ projectId, body: { policy: { edits: 'strict' } } });
    const ann = here.agent(repo);
    await lead.claim({ projectId, body: { paths: ['docs/x.md'] } });
    await ann.edit('src/a.ts');
    here.offline(true);
    expect((await ann.edit('src/b.ts')).deny).toContain('does not answer');
    here.restartKeeper();
    expect((await ann.edit('src/b.ts')).deny).toContain('strict');
    expect(existsSync(journal())).toBe(false);
  });
});
