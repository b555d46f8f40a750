import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { BadConfiguration, environment, parseConfig } from './config.ts';

const example = readFileSync(new URL('../../../.env.example', import.meta.url), 'utf8');
/** `NAME` → the default that the example shows. */
const documented = new Map([...example.matchAll(/^#? ?([A-Z][A-Z_]+)=(\S*)$/gm)].map(([, name, value]) => [name ?? '', value ?? '']));

const mistakesOf = (env: Record<string, string>): string[] => {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof BadConfiguration) return error.message.split('\n');
    throw error;
  }
  return [];
};
const salt = '0123456789abcdef0123456789abcdef';

test('the example has every setting and no other, each once', () => {
  expect([...documented.keys()].sort()).toEqual(Object.keys(environment.shape).sort());
  expect([...example.matchAll(/^#? ?[A-Z][A-Z_]+=\S*$/gm)]).toHaveLength(documented.size);
});

test('what the example shows as a default is the default', () => {
  const names = [...documented].filter(
    ([name, value]) => value !== '' && !['REGISTRATION', 'NEXUS_DATA_DIR', 'XDG_DATA_HOME'].includes(name),
  );
  expect(names.length).toBeGreaterThan(20);
  const beyond = { HOST: '0.0.0.0' };
  for (const [name, value] of names) {
    const base = name === 'HOST' || name.startsWith('LIMIT_') ? {} : beyond;
    const limits = name.startsWith('LIMIT_') ? beyond : base;
    expect([name, parseConfig({ ...limits, [name]: value })]).toEqual([name, parseConfig(limits)]);
  }
});

test('with nothing set it is embedded, on loopback, open, without limits', () => {
  expect(parseConfig({ XDG_DATA_HOME: '/data' })).toMatchObject({
    database: { kind: 'pglite' },
    redisUrl: undefined,
    salt: undefined,
    port: 3000,
    host: '127.0.0.1',
    loopback: true,
    production: false,
    allowedOrigins: [],
    trustedProxies: 0,
    logLevel: 'info',
    dataDir: '/data/nexus',
    registration: 'open',
    leases: {
      keptMs: 90_000,
      unkeptMs: 1_800_000,
      defaultMs: 3_600_000,
      graceMs: 15_000,
      maxStepMs: 5000,
      parkedMs: 86_400_000,
      landingMs: 259_200_000,
    },
    limits: { read: 0, write: 0, claim: 0, check: 0, beat: 0, register: 0, authFailures: 0, bodyBytes: 262_144 },
  });
});

test('beyond loopback registering is by invitation and every limit is on', () => {
  for (const host of ['0.0.0.0', '::', '192.168.1.2', 'nexus.example.com']) {
    const { registration, loopback, limits } = parseConfig({ HOST: host });
    expect([host, loopback, registration]).toEqual([host, false, 'invite']);
    expect(limits).toMatchObject({
      read: 600,
      write: 120,
      claim: 60,
      check: 1200,
      beat: 600,
      register: 5,
      authFailures: 10,
      socketsPerKey: 5,
      socketsPerProject: 200,
    });
  }
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) expect(parseConfig({ HOST: host }).loopback).toBe(true);
  expect(parseConfig({ HOST: '127.evil.example.com' }).loopback).toBe(false);
});

test('each mistake is one line that begins with the setting', () => {
  const lines = mistakesOf({
    PORT: '70000',
    DATABASE_URL: 'mysql://x',
    REDIS_URL: 'x',
    API_KEY_SALT: 'short',
    LOG_LEVEL: 'loud',
    LIMIT_READ: '-1',
    LEASE_TTL_SECONDS: '1',
    NODE_ENV: 'x',
  });
  expect(lines.map((line) => line.replace(/:.*/, '')).sort()).toEqual([
    'API_KEY_SALT',
    'DATABASE_URL',
    'LEASE_TTL_SECONDS',
    'LIMIT_READ',
    'LOG_LEVEL',
    'NODE_ENV',
    'PORT',
    'REDIS_URL',
  ]);
});

test('what would be unsafe does not start', () => {
  expect(mistakesOf({ DATABASE_URL: 'postgres://x' })).toEqual([expect.stringContaining('API_KEY_SALT: is required')]);
  expect(mistakesOf({ API_KEY_SALT: 'change-me-change-me-change-me-change-me' })).toEqual([
    expect.stringContaining('API_KEY_SALT: is a sample'),
  ]);
  expect(mistakesOf({ API_KEY_SALT: 'a'.repeat(40) })).toHaveLength(1);
  expect(mistakesOf({ HOST: '0.0.0.0', REGISTRATION: 'open', DATABASE_URL: 'postgres://x' }).map((line) => line.split(':')[0])).toEqual([
    'API_KEY_SALT',
    'REGISTRATION',
  ]);
  expect(mistakesOf({ HOST: '0.0.0.0', REGISTRATION: 'open', I_KNOW: 'true' })).toEqual([]);
});

test('an empty value is an absent one, and numbers are numbers', () => {
  const empty = Object.fromEntries(Object.keys(environment.shape).map((name) => [name, '']));
  expect({ ...parseConfig(empty), dataDir: '' }).toEqual({ ...parseConfig({}), dataDir: '' });
  expect(parseConfig({ PORT: ' ' }).port).toBe(3000);
  for (const value of ['abc', '1.5', 'NaN', 'Infinity', '1e99', '0x'])
    expect([value, mistakesOf({ PORT: value }).length]).toEqual([value, 1]);
});

test('the engines are chosen apart from each other', () => {
  expect(parseConfig({ DATABASE_URL: 'postgresql://db/x', API_KEY_SALT: salt, DATABASE_POOL_SIZE: '3' }).database).toEqual({
    kind: 'postgres',
    url: 'postgresql://db/x',
    poolSize: 3,
  });
  expect(parseConfig({ REDIS_URL: 'rediss://cache' })).toMatchObject({ database: { kind: 'pglite' }, redisUrl: 'rediss://cache' });
});

test('a short LEASE_TTL_SECONDS caps every lease, a long one is for kept sessions only', () => {
  expect(parseConfig({ LEASE_TTL_SECONDS: '2' }).leases).toMatchObject({ keptMs: 2000, unkeptMs: 2000, defaultMs: 2000, maxStepMs: 500 });
  expect(parseConfig({ LEASE_TTL_SECONDS: '600' }).leases).toMatchObject({ keptMs: 600_000, unkeptMs: 1_800_000, defaultMs: 3_600_000 });
  expect(parseConfig({ LEASE_TTL_SECONDS: '60', UNKEPT_SESSION_TTL_SECONDS: '30' }).leases).toMatchObject({
    keptMs: 60_000,
    unkeptMs: 30_000,
  });
});

test('GRACE_SECONDS goes before its older name, and may be 0', () => {
  expect(parseConfig({ LOCK_DELAY_SECONDS: '3' }).leases.graceMs).toBe(3000);
  expect(parseConfig({ LOCK_DELAY_SECONDS: '3', GRACE_SECONDS: '0' }).leases.graceMs).toBe(0);
});

test('embeddings want an address and a model, and a mistake in the key does not show it', () => {
  const given = { EMBEDDINGS_URL: 'http://localhost:11434/v1', EMBEDDINGS_MODEL: 'nomic-embed-text' };
  expect(parseConfig({}).embeddings).toBeUndefined();
  expect(parseConfig(given).embeddings).toEqual({ url: given.EMBEDDINGS_URL, model: given.EMBEDDINGS_MODEL, apiKey: undefined });
  expect(parseConfig({ ...given, EMBEDDINGS_API_KEY: 'sk-1' }).embeddings?.apiKey).toBe('sk-1');
  for (const [env, name] of [
    [{ EMBEDDINGS_URL: given.EMBEDDINGS_URL }, 'EMBEDDINGS_MODEL'],
    [{ EMBEDDINGS_MODEL: 'm' }, 'EMBEDDINGS_URL'],
    [{ EMBEDDINGS_API_KEY: 'sk-1' }, 'EMBEDDINGS_URL'],
    [{ ...given, EMBEDDINGS_URL: 'localhost:11434' }, 'EMBEDDINGS_URL'],
    [{ ...given, EMBEDDINGS_URL: 'http://me:secret@host/v1' }, 'EMBEDDINGS_URL'],
    [{ ...given, EMBEDDINGS_URL: 'http://[/v1' }, 'EMBEDDINGS_URL'],
    [{ ...given, EMBEDDINGS_API_KEY: 'secret\nX: y' }, 'EMBEDDINGS_API_KEY'],
  ] as const) {
    const mistakes = mistakesOf(env);
    expect([env, mistakes.map((line) => line.split(':')[0])]).toEqual([env, [name]]);
    expect(mistakes.join()).not.toContain('secret');
  }
});
