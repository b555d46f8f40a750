import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

const duration = (least: number) => z.coerce.number().min(least).max(31_536_000);
const seconds = (fallback: number, least = 1) => duration(least).default(fallback);
/** A limit: so many a minute. 0 switches it off. */
const limit = (fallback: number) =>
  z.coerce
    .number()
    .int()
    .min(0)
    .max(1_000_000)
    .optional()
    .transform((value) => ({ set: value, fallback }));
const flag = z.enum(['true', 'false', '1', '0', '']).transform((value) => value === 'true' || value === '1');

/** Every setting, as .env.example documents it. */
export const environment = z.object({
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgres://')
    .optional(),
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\//, 'must begin with redis:// or rediss://')
    .optional(),
  API_KEY_SALT: z.string().min(32, 'must have at least 32 characters, such as `openssl rand -hex 32` prints').optional(),
  PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  HOST: z.string().default('127.0.0.1'),
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  ALLOWED_ORIGINS: z
    .string()
    .default('')
    .transform((list) =>
      list
        .split(',')
        .map((origin) => origin.trim())
        .filter(Boolean),
    ),
  TRUST_PROXY: z.coerce.number().int().min(0).max(10).default(0),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  NEXUS_DATA_DIR: z.string().optional(),
  REGISTRATION: z.enum(['open', 'invite', 'closed']).optional(),
  LEASE_TTL_SECONDS: seconds(90, 2),
  UNKEPT_SESSION_TTL_SECONDS: seconds(1800, 2),
  DEFAULT_SESSION_TTL_SECONDS: seconds(3600, 2),
  GRACE_SECONDS: duration(0).optional(),
  LOCK_DELAY_SECONDS: duration(0).optional(),
  PARKED_HOLD_TTL_SECONDS: seconds(86_400),
  YIELD_CLEAN_SECONDS: seconds(900),
  YIELD_REFUSE_SECONDS: seconds(60),
  LANDING_HOLD_TTL_SECONDS: seconds(259_200),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(2).max(200).default(10),
  METRICS_TOKEN: z.string().min(8).optional(),
  LIMIT_READ: limit(600),
  LIMIT_WRITE: limit(120),
  LIMIT_CLAIM: limit(60),
  LIMIT_CHECK: limit(1200),
  LIMIT_BEAT: limit(600),
  LIMIT_MESSAGE: limit(60),
  LIMIT_REGISTER: limit(5),
  LIMIT_AUTH_FAILURES: limit(10),
  LIMIT_SOCKETS_PER_KEY: z.coerce.number().int().min(1).optional(),
  LIMIT_SOCKETS_PER_PROJECT: z.coerce.number().int().min(1).optional(),
  LIMIT_BODY_KB: z.coerce.number().int().min(1).max(10_240).default(256),
  EVENT_RETENTION_DAYS: z.coerce.number().min(0).default(7),
  EVENT_RETENTION_COUNT: z.coerce.number().int().min(0).default(10_000),
  CHECKPOINT_RETENTION_DAYS: z.coerce.number().min(0).max(36_500).default(30),
  CHECKPOINT_RETENTION_COUNT: z.coerce.number().int().min(1).max(1_000_000).default(20),
  MESSAGE_RETENTION_DAYS: z.coerce.number().min(1).max(36_500).default(90),
  EMBEDDINGS_URL: z
    .string()
    .regex(/^https?:\/\/[^\s/@]+(\/\S*)?$/, 'must be an http:// or https:// address, without a name or password in it')
    .refine((url) => URL.canParse(url), 'is no address')
    .optional(),
  EMBEDDINGS_MODEL: z.string().max(200).optional(),
  EMBEDDINGS_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must have no spaces and no letters beyond ASCII')
    .optional(),
  NEXUS_CRASH: z.string().optional(),
  XDG_DATA_HOME: z.string().optional(),
  I_KNOW: flag.default(false),
});

export class BadConfiguration extends Error {
  override name = 'BadConfiguration';
}

export type Config = ReturnType<typeof parseConfig>;

/** Pure: from a record such as `process.env`. Throws BadConfiguration with one line for each mistake. */
export function parseConfig(env: Record<string, string | undefined>) {
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== undefined && (value.trim() !== '' || name === 'ALLOWED_ORIGINS')),
  );
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const { issues } = parsed.error;
    const firsts = issues.filter(({ path }, at) => issues.findIndex((issue) => issue.path[0] === path[0]) === at);
    throw new BadConfiguration(firsts.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'));
  }
  const e = parsed.data;
  const loopback = isLoopback(e.HOST);
  const mistakes: string[] = [];
  if (e.DATABASE_URL && !e.API_KEY_SALT)
    mistakes.push('API_KEY_SALT: is required with DATABASE_URL; every replica needs the same one. `openssl rand -hex 32` makes one.');
  if (e.API_KEY_SALT && /^change|^example|^(.)\1+$/i.test(e.API_KEY_SALT))
    mistakes.push('API_KEY_SALT: is a sample value. `openssl rand -hex 32` makes a real one.');
  if (!loopback && e.REGISTRATION === 'open' && !e.I_KNOW)
    mistakes.push('REGISTRATION: open on a public address lets anyone in. Use invite, or set I_KNOW=true as well.');
  if (e.EMBEDDINGS_URL && !e.EMBEDDINGS_MODEL)
    mistakes.push('EMBEDDINGS_MODEL: is required with EMBEDDINGS_URL, for example nomic-embed-text.');
  if (!e.EMBEDDINGS_URL && (e.EMBEDDINGS_MODEL || e.EMBEDDINGS_API_KEY))
    mistakes.push('EMBEDDINGS_URL: is required with EMBEDDINGS_MODEL and EMBEDDINGS_API_KEY, for example http://localhost:11434/v1');
  if (mistakes.length > 0) throw new BadConfiguration(mistakes.join('\n'));

  // Below 90 s it is a test that wants every lease short.
  const cap = (value: number) => (e.LEASE_TTL_SECONDS < 90 ? Math.min(value, e.LEASE_TTL_SECONDS) : value);
  const kept = e.LEASE_TTL_SECONDS * 1000;
  const perMinute = ({ set, fallback }: { set: number | undefined; fallback: number }) => set ?? (loopback ? 0 : fallback);
  return {
    database: e.DATABASE_URL
      ? ({ kind: 'postgres', url: e.DATABASE_URL, poolSize: e.DATABASE_POOL_SIZE } as const)
      : ({ kind: 'pglite' } as const),
    redisUrl: e.REDIS_URL,
    salt: e.API_KEY_SALT,
    port: e.PORT,
    host: e.HOST,
    loopback,
    production: e.NODE_ENV === 'production',
    allowedOrigins: e.ALLOWED_ORIGINS,
    trustedProxies: e.TRUST_PROXY,
    logLevel: e.LOG_LEVEL,
    dataDir: e.NEXUS_DATA_DIR ?? join(e.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'nexus'),
    registration: e.REGISTRATION ?? (loopback ? ('open' as const) : ('invite' as const)),
    leases: {
      keptMs: kept,
      unkeptMs: cap(e.UNKEPT_SESSION_TTL_SECONDS) * 1000,
      defaultMs: cap(e.DEFAULT_SESSION_TTL_SECONDS) * 1000,
      graceMs: (e.GRACE_SECONDS ?? e.LOCK_DELAY_SECONDS ?? 15) * 1000,
      maxStepMs: Math.min(5000, kept / 4),
      parkedMs: e.PARKED_HOLD_TTL_SECONDS * 1000,
      landingMs: e.LANDING_HOLD_TTL_SECONDS * 1000,
    },
    yields: {
      cleanSeconds: e.YIELD_CLEAN_SECONDS,
      refuseSeconds: e.YIELD_REFUSE_SECONDS,
      // A keeper looks every 30 s: that long without a report, nobody looks any more.
      reportSeconds: 180,
    },
    metricsToken: e.METRICS_TOKEN,
    limits: {
      read: perMinute(e.LIMIT_READ),
      write: perMinute(e.LIMIT_WRITE),
      claim: perMinute(e.LIMIT_CLAIM),
      check: perMinute(e.LIMIT_CHECK),
      beat: perMinute(e.LIMIT_BEAT),
      message: perMinute(e.LIMIT_MESSAGE),
      register: perMinute(e.LIMIT_REGISTER),
      authFailures: perMinute(e.LIMIT_AUTH_FAILURES),
      socketsPerKey: e.LIMIT_SOCKETS_PER_KEY ?? (loopback ? 10_000 : 5),
      socketsPerProject: e.LIMIT_SOCKETS_PER_PROJECT ?? (loopback ? 10_000 : 200),
      bodyBytes: e.LIMIT_BODY_KB * 1024,
    },
    events: { keepDays: e.EVENT_RETENTION_DAYS, keepCount: e.EVENT_RETENTION_COUNT },
    checkpoints: { keepDays: e.CHECKPOINT_RETENTION_DAYS, keepCount: e.CHECKPOINT_RETENTION_COUNT },
    messages: { keepDays: e.MESSAGE_RETENTION_DAYS },
    embeddings:
      e.EMBEDDINGS_URL && e.EMBEDDINGS_MODEL
        ? { url: e.EMBEDDINGS_URL, model: e.EMBEDDINGS_MODEL, apiKey: e.EMBEDDINGS_API_KEY }
        : undefined,
    crash: e.NEXUS_CRASH,
  };
}

const isLoopback = (host: string) => host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
