import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import type { Allocated } from '@nexus/contract';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { startServer, type TestServer } from '../../server/test/harness.ts';
import { isFree, usedPorts } from '../src/ports.ts';
import { homeEnv, type Ran, runHere } from '../src/testing/io.ts';
import { makeFolder, makeRepository } from './lib/hook-world.ts';

let server: TestServer;
let lead: Client;
let projectId: string;
let folder: { dir: string; remove: () => void };
let repo: string;
const listening: Server[] = [];

beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  folder = makeFolder();
  repo = join(folder.dir, 'repo');
  makeRepository(repo, { server: server.url, projectId, slug: 'p' });
});
afterEach(() => {
  for (const one of listening.splice(0)) one.close();
  folder.remove();
});

const nexusOf = (terminal: string, ...args: string[]): Promise<Ran> =>
  runHere(args, {
    cwd: repo,
    env: {
      ...homeEnv(join(folder.dir, 'ann')),
      NEXUS_TOKEN: lead.options.apiKey ?? '',
      NEXUS_SERVER_URL: server.url,
      NEXUS_AGENT: 'test',
      NEXUS_AGENT_SESSION: terminal,
      NEXUS_NO_KEEPER: '1',
    },
  });
const nexus = (...args: string[]) => nexusOf('one', ...args);
const listen = (host: string, port = 0): Promise<number> =>
  new Promise((resolve, reject) => {
    const one = createServer();
    listening.push(one);
    one.once('error', reject);
    one.listen(port, host, () => {
      const address = one.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });

/** Where a few in a row are free on this machine now. */
async function freeRange(length: number): Promise<number> {
  for (;;) {
    const from = 20_000 + Math.floor(Math.random() * 10_000);
    if ((await usedPorts(from, from + length - 1)).length === 0) return from;
  }
}

test('a port that something listens on is not free, whichever address it listens on', async () => {
  for (const host of ['127.0.0.1', '0.0.0.0']) {
    const port = await listen(host);
    expect(await isFree(port)).toBe(false);
    listening.pop()?.close();
  }
});

test('alloc port prints a port that is free here and in the project, the same for the same name, and free gives it back', async () => {
  const from = await freeRange(4);
  const range = ['--range', `${from}-${from + 3}`];
  await listen('127.0.0.1', from);
  const first = await nexus('alloc', 'port', ...range);
  expect(first).toMatchObject({ code: 0, out: `${from + 1}\n` });
  expect(first.err).toContain('nexus alloc free default');
  // Its own server listens there now: that is no reason to move.
  await listen('127.0.0.1', from + 1);
  expect((await nexus('alloc', 'port', ...range)).out).toBe(`${from + 1}\n`);
  expect((await nexusOf('two', 'alloc', 'port', ...range)).out).toBe(`${from + 2}\n`);
  const json = JSON.parse((await nexus('alloc', 'port', 'db', ...range, '--json')).out) as Allocated;
  expect(json).toMatchObject({ number: from + 3, name: 'db', fresh: true });
  expect(json.resource).toMatch(new RegExp(`^res:port/${from + 3}@[0-9a-f]{16}$`));
  expect((await nexus('alloc', 'list', '--held')).out).toContain(`${from + 3}`);
  const full = await nexusOf('three', 'alloc', 'port', ...range);
  expect(full).toMatchObject({ code: 3, out: '' });
  expect(full.err).toContain(`No port of ${from} to ${from + 3} is free`);
  expect((await nexus('claims', 'mine')).out).toContain(`res:port/${from + 1}@`);
  expect((await nexus('alloc', 'free', 'db')).out).toBe(`Freed ${from + 3} (db)\n`);
  expect(await nexusOf('three', 'alloc', 'free')).toEqual({ code: 5, out: '', err: expect.stringContaining('holds no such port') });
  expect((await nexusOf('three', 'alloc', 'port', ...range)).out).toBe(`${from + 3}\n`);
  expect((await nexus('alloc', 'free')).out).toBe(`Freed ${from + 1} (default)\n`);
});

test('alloc number counts on, and the list tells who got which', async () => {
  expect((await nexus('alloc', 'number', 'migrations', '--start-at', '42')).out).toBe('42\n');
  expect((await nexusOf('two', 'alloc', 'number', 'migrations')).out).toBe('43\n');
  const { out } = await nexus('alloc', 'list', '--name', 'migrations');
  expect(out.split('\n').filter((line) => /^4[23] +migrations +number/.test(line))).toHaveLength(2);
  expect((await nexus('alloc', 'number')).code).toBe(2);
  expect((await nexus('alloc', 'port', '--range', '5-1')).code).toBe(2);
});
