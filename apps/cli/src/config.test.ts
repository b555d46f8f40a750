import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings, type Settings } from './config.ts';
import { createCredentials, findKey } from './credentials.ts';
import { findWorktree } from './git.ts';
import { gitIn, homeEnv, makePlace, makeRepository, type Place } from './testing/io.ts';

let place: Place;
let repo: string;
let env: Record<string, string>;
beforeEach(() => {
  place = makePlace();
  repo = join(place.dir, 'repo');
  mkdirSync(join(repo, 'src'), { recursive: true });
  makeRepository(repo);
  env = homeEnv(join(place.dir, 'home'));
});
afterEach(() => place.remove());

const write = (path: string, content: unknown): void => {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, JSON.stringify(content));
};
const settings = async (cwd = repo, flags = {}): Promise<Settings> => readSettings({ flags, env, cwd, worktree: await findWorktree(cwd) });
const link = { server: 'https://repo.example', projectId: 'p-repo', slug: 'repo' };

describe('which server and project', () => {
  test('flag, environment, repository, user and default count in this order', async () => {
    expect(await settings()).toMatchObject({ server: 'http://127.0.0.1:3000', serverFrom: 'default', project: undefined });
    write(join(place.dir, 'home', 'config', 'config.json'), { server: 'https://user.example', project: 'p-user' });
    expect(await settings()).toMatchObject({ server: 'https://user.example', serverFrom: 'user', project: 'p-user' });
    write(join(repo, '.nexus.json'), link);
    expect(await settings()).toMatchObject({ server: 'https://repo.example', serverFrom: 'repository', project: 'p-repo' });
    env = { ...env, NEXUS_SERVER_URL: 'https://env.example/', NEXUS_PROJECT: 'p-env' };
    expect(await settings()).toMatchObject({ server: 'https://env.example', serverFrom: 'env', project: 'p-env' });
    expect(await settings(repo, { server: 'https://flag.example', project: 'p-flag' })).toMatchObject({
      server: 'https://flag.example',
      serverFrom: 'flag',
      project: 'p-flag',
    });
  });

  test('.nexus.json is found from a sub-directory, and by a linked worktree in the main checkout', async () => {
    write(join(repo, '.nexus.json'), link);
    expect((await settings(join(repo, 'src'))).project).toBe('p-repo');
    const tree = join(place.dir, 'tree');
    gitIn(repo, 'worktree', 'add', '-q', tree);
    expect((await settings(tree)).project).toBe('p-repo');
    write(join(tree, '.nexus.json'), { ...link, projectId: 'p-tree' });
    expect((await settings(tree)).project).toBe('p-tree');
  });

  test('a .nexus.json above the repository is a stranger’s', async () => {
    write(join(place.dir, '.nexus.json'), link);
    expect((await settings()).link).toBeUndefined();
    const plain = join(place.dir, 'plain');
    mkdirSync(plain);
    expect((await settings(plain)).link).toBeUndefined();
  });

  test('a broken file is named', async () => {
    writeFileSync(join(repo, '.nexus.json'), '{');
    expect(settings()).rejects.toThrow(join(repo, '.nexus.json'));
    write(join(repo, '.nexus.json'), { server: 7 });
    expect(settings()).rejects.toThrow(/server/);
  });

  test('an address that is none is refused', async () => {
    for (const server of ['nexus', 'ftp://x', '']) expect(settings(repo, { server })).rejects.toThrow(/not a server's address/);
  });
});

describe('credentials', () => {
  test('are in a file that only the user can read, and stay so', async () => {
    const { dirs } = await settings();
    mkdirSync(dirs.config, { recursive: true, mode: 0o755 });
    const credentials = createCredentials(dirs);
    credentials.set('https://a.example', { apiKey: 'nx_a' });
    const path = join(dirs.config, 'credentials.json');
    const modes = (): string[] => [dirs.config, path].map((at) => (statSync(at).mode & 0o777).toString(8));
    expect(modes()).toEqual(['700', '600']);
    chmodSync(path, 0o644);
    expect(credentials.get('https://a.example')?.apiKey).toBe('nx_a');
    expect(modes()).toEqual(['700', '600']);
  });

  test('belong to one origin each', async () => {
    const credentials = createCredentials((await settings()).dirs);
    credentials.set('https://a.example', { apiKey: 'nx_a' });
    credentials.set('https://b.example', { apiKey: 'nx_b' });
    expect(credentials.get('https://b.example')?.apiKey).toBe('nx_b');
    expect(credentials.get('https://a.example:444')).toBeUndefined();
    expect(credentials.get('toString')).toBeUndefined();
    expect(credentials.remove('https://a.example')).toBe(true);
    expect(credentials.remove('https://a.example')).toBe(false);
  });

  test('NEXUS_TOKEN never goes to a server that only the repository names', async () => {
    write(join(repo, '.nexus.json'), link);
    env = { ...env, NEXUS_TOKEN: 'nx_env' };
    const hostile = await settings();
    const credentials = createCredentials(hostile.dirs);
    expect(() => findKey({ settings: hostile, credentials, env })).toThrow(/NEXUS_SERVER_URL=https:\/\/repo.example/);
    const vouched = await settings(repo, { server: 'https://repo.example' });
    expect(findKey({ settings: vouched, credentials, env })).toBe('nx_env');
    credentials.set('https://repo.example', { apiKey: 'nx_stored' });
    expect(findKey({ settings: hostile, credentials, env })).toBe('nx_env');
    expect(findKey({ settings: hostile, credentials, env: {} })).toBe('nx_stored');
  });
});
