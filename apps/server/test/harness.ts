import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'bun:test';
import postgres from 'postgres';
import { type Client, createClient } from '@nexus/client';
import { createHashing } from '../src/auth/index.ts';
import { parseConfig } from '../src/config.ts';
import { createDeps, type Deps, openEngines } from '../src/deps.ts';
import { createMemoryBus } from '../src/engines/bus/memory.ts';
import { openPglite } from '../src/engines/database/pglite.ts';
import { createMemoryLeases } from '../src/engines/leases/memory.ts';
import { createLog } from '../src/platform/log.ts';
import { serve } from '../src/server.ts';

export const migrations = fileURLToPath(new URL('../../../drizzle', import.meta.url));
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Argon2id as everywhere, at a fiftieth of its cost: most tests make keys, and few are about them. */
const hashing = createHashing({ memoryCost: 1024, timeCost: 2 });

export type EngineSet = 'embedded' | 'team';
const environment = process.env;
export const canRun = (set: EngineSet) => set === 'embedded' || Boolean(environment['TEST_DATABASE_URL'] && environment['TEST_REDIS_URL']);

/** The same tests on both engine sets; a set whose programs are missing is reported as skipped. */
export function onEachEngineSet(name: string, tests: (set: EngineSet) => void): void {
  for (const set of ['embedded', 'team'] as const) describe.skipIf(!canRun(set))(`${name} (${set})`, () => tests(set));
}

export type TestServer = {
  url: string;
  deps: Deps;
  /** A client without a key. */
  anonymous: Client;
  /** Registers an engineer; answers a client with their key. */
  engineer: (name?: string) => Promise<Client & { engineer: { id: string; name: string; email: string } }>;
  /** A project of its own for each test, with its lead. */
  project: () => Promise<{ projectId: string; lead: Client }>;
  stop: () => Promise<void>;
};

/** A server in this process, on a real port. `env` as in .env.example, for instance LEASE_TTL_SECONDS. */
export async function startServer(
  set: EngineSet,
  env: Record<string, string> = {},
  { onLog = () => undefined }: { onLog?: (line: string) => void } = {},
): Promise<TestServer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'nexus-test-'));
  const database = set === 'team' ? await createTestDatabase() : undefined;
  const config = parseConfig({
    NEXUS_DATA_DIR: dataDir,
    PORT: '0',
    LOG_LEVEL: 'silent',
    API_KEY_SALT: 'a salt for tests, of more than thirty-two characters',
    ...(database ? { DATABASE_URL: database.url, REDIS_URL: environment['TEST_REDIS_URL'] } : {}),
    ...env,
  });
  const log = createLog({ level: config.logLevel, write: onLog });
  const { graceMs, maxStepMs } = config.leases;
  const engines =
    set === 'team'
      ? await openEngines(config, { migrations, log, owner: 'a test' })
      : {
          database: await memoryDatabase({ pgvector: config.embeddings !== undefined }),
          leases: createMemoryLeases({ graceMs, maxStepMs }),
          bus: createMemoryBus(),
        };
  const deps = await createDeps({ config, engines, log, version: '0.0.0-test', crash: () => undefined, hashing });
  const server = await serve(deps);
  const anonymous = createClient({ server: server.url });
  return {
    url: server.url,
    deps,
    anonymous,
    ...people(anonymous),
    async stop() {
      await server.stop();
      await database?.drop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export function people(anonymous: Client) {
  const engineer = async (name = 'Ann') => {
    const { engineer: who, apiKey } = await anonymous.register({ body: { name, email: `${crypto.randomUUID()}@example.org` } });
    return Object.assign(anonymous.with({ apiKey }), { engineer: who });
  };
  const project = async () => {
    const lead = await engineer('Lead');
    const { id: projectId } = await lead.createProject({ body: { name: 'Project', slug: `p-${crypto.randomUUID()}` } });
    return { projectId, lead };
  };
  return { engineer, project };
}

/** A session of its own, as a terminal has one. */
export async function terminal(
  client: Client,
  projectId: string,
  options: { agent?: string; keeper?: boolean; parentId?: string; metadata?: Record<string, unknown> } = {},
): Promise<Client & { sessionId: string }> {
  const { agent = 'claude', ...rest } = options;
  const { id } = await client.openSession({ projectId, body: { agent, agentSessionId: crypto.randomUUID(), ...rest } });
  return Object.assign(client.with({ session: id }), { sessionId: id });
}

/** A feature that is ready to be picked. */
export async function readyFeature(client: Client, projectId: string, slug: string, touches: string[] = [], dependsOn: string[] = []) {
  await client.createFeature({ projectId, body: { slug, title: slug, spec: `Do ${slug}.`, touches, dependsOn } });
  return client.readyFeature({ projectId, slug });
}

/** PGlite's first boot takes seconds; from a dump of an empty, migrated one it takes a tenth. */
export async function memoryDatabase({ pgvector = false } = {}) {
  const hash = createHash('sha256');
  for (const file of readdirSync(migrations).sort()) if (file.endsWith('.sql')) hash.update(readFileSync(join(migrations, file)));
  const folder = join(root, '.cache', 'pglite');
  const file = join(folder, `${hash.digest('hex').slice(0, 16)}.tar`);
  if (existsSync(file)) return openPglite({ dataDir: undefined, migrations, pgvector, dump: new Blob([readFileSync(file)]) });
  const database = await openPglite({ dataDir: undefined, migrations, pgvector });
  mkdirSync(folder, { recursive: true });
  const part = `${file}.${process.pid}`;
  writeFileSync(part, Buffer.from(await (await database.client.dumpDataDir('none')).arrayBuffer()));
  renameSync(part, file);
  return database;
}

/** An empty database of its own on the test server. */
export async function createTestDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  const url = new URL(environment['TEST_DATABASE_URL'] ?? '');
  const name = `nexus_${crypto.randomUUID().replaceAll('-', '')}`;
  const admin = postgres(url.href, { max: 1, onnotice: () => undefined });
  await admin.unsafe(`create database ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return {
    url: own.href,
    async drop() {
      await admin.unsafe(`drop database if exists ${name} with (force)`);
      await admin.end();
    },
  };
}

export type ServerProcess = {
  url: string;
  pid: number;
  anonymous: Client;
  /** Resolves when the process is gone, by whatever cause. */
  exited: Promise<number>;
  kill: (signal?: NodeJS.Signals) => void;
  output: () => string;
};

/** A server as a process of its own, to be killed. The caller gives the whole environment: NEXUS_DATA_DIR, PORT, DATABASE_URL … */
export async function spawnServer(env: Record<string, string>): Promise<ServerProcess> {
  const { PATH = '', HOME = '' } = environment;
  const child = Bun.spawn([process.execPath, join(root, 'apps/server/src/main.ts')], {
    env: { PATH, HOME, PORT: '0', API_KEY_SALT: 'a salt for tests, of more than thirty-two characters', ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  let text = '';
  const url = Promise.withResolvers<string>();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) {
      text += new TextDecoder().decode(chunk);
      const found = /Nexus is ready at (\S+)/.exec(text)?.[1];
      if (found) url.resolve(found);
    }
  };
  void read(child.stdout);
  void read(child.stderr);
  void child.exited.then((code) => url.reject(new Error(`The server ended with ${code}:\n${text}`)));
  const address = await url.promise;
  return {
    url: address,
    pid: child.pid,
    anonymous: createClient({ server: address, retries: 0 }),
    exited: child.exited,
    kill: (signal = 'SIGKILL') => child.kill(signal),
    output: () => text,
  };
}

/** Waits until `condition` holds; throws what it was waiting for after `ms`. */
export async function eventually(what: string, condition: () => Promise<boolean> | boolean, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Not within ${ms} ms: ${what}`);
    await Bun.sleep(50);
  }
}
