import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAllocations } from './allocations/index.ts';
import { createAuth, createHashing, createInvitations, createKeys, createUsage, type Hashing } from './auth/index.ts';
import { createChecks, createClaims, createIndexFollower } from './claims/index.ts';
import type { Config } from './config.ts';
import { createMemoryBus } from './engines/bus/memory.ts';
import { createRedisBus } from './engines/bus/redis.ts';
import type { Bus } from './engines/bus/bus.ts';
import type { Database } from './engines/database/database.ts';
import { openPglite } from './engines/database/pglite.ts';
import { openPostgres } from './engines/database/postgres.ts';
import { createOpenAiEmbeddings } from './engines/embeddings/openai.ts';
import type { LeaseStore } from './engines/leases/leases.ts';
import { createMemoryLeases } from './engines/leases/memory.ts';
import { createRedisLeases } from './engines/leases/redis.ts';
import { createEndings, createFeatures, createPick } from './features/index.ts';
import { createFeed, createFeedSocket, createTickets } from './feed/index.ts';
import { createCatchUp, createDecisions, createLearnings } from './knowledge/index.ts';
import { createContention, createHistory } from './history/index.ts';
import { createLedger } from './ledger/index.ts';
import { clientIp } from './platform/client-ip.ts';
import { createFailpoint } from './platform/failpoints.ts';
import { createLimits } from './platform/limits.ts';
import type { Log } from './platform/log.ts';
import { createMetrics } from './platform/metrics.ts';
import { createProjects } from './projects/index.ts';
import { createRecovery, createSweep } from './recovery/index.ts';
import { createMessages, createPost } from './messages/index.ts';
import { createCourier, createPatches } from './patches/index.ts';
import { createPace, createRequests, type Pace, withdraw } from './requests/index.ts';
import { createRoadmap } from './roadmap/index.ts';
import { createEmbedder, createMeaning, createSearch } from './search/index.ts';
import { createCheckpoints, createSessions, projectsAlive, type Sessions } from './sessions/index.ts';
import { createHealth, createStatus } from './status/index.ts';
import { createDrain, createWaiting, type Drain } from './waiting/index.ts';
import { createTransfer } from './transfer/index.ts';

export type Deps = Awaited<ReturnType<typeof createDeps>>;
export type Engines = { database: Database; leases: LeaseStore; bus: Bus };

/** The only place that knows which engine stands behind which port. */
export async function openEngines(
  config: Config,
  { migrations, log, owner }: { migrations: string; log: Log; owner: string },
): Promise<Engines> {
  const { graceMs, maxStepMs } = config.leases;
  const database =
    config.database.kind === 'postgres'
      ? await openPostgres({ ...config.database, migrations })
      : await openPglite({ dataDir: config.dataDir, migrations, owner, pgvector: config.embeddings !== undefined });
  const url = config.redisUrl;
  const leases = url
    ? await createRedisLeases({ url, graceMs, maxStepMs, onWarning: (message) => log.warn(message) })
    : createMemoryLeases({ graceMs, maxStepMs });
  const bus = url ? await createRedisBus({ url }) : createMemoryBus();
  return { database, leases, bus };
}

/** Wires the slices. Some know each other both ways (a pick loses dead sessions, a lost session frees features): here they meet. */
export async function createDeps({
  config,
  engines,
  log,
  version,
  crash,
  hashing = createHashing(),
}: {
  config: Config;
  engines: Engines;
  log: Log;
  version: string;
  crash: () => void;
  hashing?: Hashing;
}) {
  const { database, leases, bus } = engines;
  const kinds = { database: database.kind, leases: config.redisUrl ? 'redis' : 'memory', bus: config.redisUrl ? 'redis' : 'memory' };
  const salt = config.salt ?? saltIn(config.dataDir);
  const setupCode = config.loopback ? undefined : randomBytes(9).toString('base64url');
  const failpoint = createFailpoint({ armed: config.crash, kill: crash });
  const metrics = createMetrics({ version, engines: kinds });

  const embeddings = config.embeddings && createOpenAiEmbeddings(config.embeddings);
  const embedder = embeddings && createEmbedder({ database, embeddings, log });
  const meaning = embeddings && embedder && createMeaning({ database, embeddings, embedder, log });
  const index = createIndexFollower({ database, leases, log });
  const feed = createFeed({ database, bus, log });
  const ledger = createLedger({
    database,
    failpoint,
    committed: async (change) => {
      await index.follow(change);
      drain.after(change);
      if (change.events > 0) embedder?.wake();
      if (change.events > 0) feed.committed(change.projectId, change.seq);
    },
  });

  const projects = createProjects({ database, bus, ledger });
  const usage = createUsage({ database, log });
  const invitations = createInvitations({ database, ledger, salt, join: projects.join, joined: projects.memberChanged });
  const auth = createAuth({
    database,
    bus,
    hashing,
    salt,
    registration: config.registration,
    setupCode,
    invitations,
    onUse: (keyId) => usage.note(keyId),
    onChange: (keyId) => socket.keyChanged(keyId),
  });
  const keys = createKeys({ database, ledger, bus, hashing, salt, log, membership: projects.membership });
  const recovery = createRecovery({
    database,
    leases,
    ledger,
    members: projects,
    failpoint,
    sessions: (): Sessions => sessions,
    onLost: () => metrics.lost.inc(),
    freshen: (projectId) => index.freshen(projectId),
    onLeave: withdraw,
  });
  const pace: Pace = createPace({ database, ledger, rules: projects.rules, terms: config.yields, log });
  const post = createPost({ database, log });
  const courier = createCourier({ database, ledger, rules: projects.rules, log });
  const sessions: Sessions = createSessions({
    database,
    leases,
    ledger,
    terms: config.leases,
    bringUp: index.bringUp,
    storeWasAway: index.wasAway,
    lose: recovery.lose,
    over: recovery.over,
    news: async (sessions) => {
      const [asked, sent] = await Promise.all([pace.of(sessions), post.of(sessions)]);
      const patchesOf = new Map(sessions.map((session) => [session.id, courier.of(session)]));
      return (id) => ({ requests: asked.get(id) ?? [], messages: sent.get(id) ?? [], patches: patchesOf.get(id) ?? [] });
    },
    dirty: pace.dirty,
  });
  const { deadlines } = sessions;
  const { rules } = projects;
  const contention = createContention({ database });
  const claims = createClaims({
    ledger,
    rules,
    deadlines,
    loseStale: recovery.loseStale,
    over: recovery.over,
    refused: contention.refused,
  });
  const checks = createChecks({
    database,
    leases,
    rules,
    deadlines,
    storeWasAway: index.wasAway,
    ledgerAway: (): boolean => sweep.ledgerAway(),
    somebodyWaits: (projectId): boolean => drain.somebodyWaits(projectId),
    denied: contention.denied,
    beat: sessions.heartbeat,
  });
  const allocations = createAllocations({ database, ledger, claims, rules });
  const features = createFeatures({ database, ledger, claims, rules, deadlines });
  const checkpoints = createCheckpoints({ database, ledger, sessions, standing: features.standing, over: recovery.over });
  const needs = { database, ledger, features, claims, rules };
  const pick = createPick({ ...needs, checks, loseAllStale: (projectId) => recovery.loseStale(projectId) });
  const endings = createEndings(needs);
  const roadmap = createRoadmap({ database, ledger });
  const search = createSearch({ database, meaning });
  const learnings = createLearnings(needs);
  const decisions = createDecisions(needs);
  const transfer = createTransfer({ database, ledger, projects });
  const catchUp = createCatchUp({ database, ledger, log });
  const drain: Drain = createDrain({ database, ledger, claims, pick, rules, membership: projects.membership, log });
  const messages = createMessages({ ...needs, resolve: sessions.resolve, sent: post.sent });
  const requests = createRequests({ ...needs, unpark: recovery.unpark, asked: pace.asked });
  const waiting = createWaiting({ ...needs, deadlines, drain });
  const patches = createPatches(needs);
  const history = createHistory({ database, rules, deadlines, waiting, requests, patches });
  const cursor = async (projectId: string) => (await feed.page(projectId, undefined, 1)).cursor;
  const status = createStatus({ database, features, checks, sessions, waiting, patches, cursor });
  const health = createHealth({ database: database.ping, leases: leases.ping, bus: bus.ping });
  const limits = createLimits(config.limits);
  const tickets = createTickets({ secret: salt, bus });
  const socket = createFeedSocket({
    feed,
    authenticate: (header) => auth.authenticate(header),
    membership: projects.membership,
    keyIsValid: auth.keyIsValid,
    clientIp: (request, server) =>
      clientIp(server.requestIP(request)?.address ?? '', request.headers.get('x-forwarded-for') ?? undefined, config.trustedProxies),
    limits: config.limits,
    allowedOrigins: config.allowedOrigins,
    log,
    tickets,
  });
  bus.subscribe('auth', (message) => {
    const [what, projectId = '', engineerId = ''] = message.split(' ');
    if (what === 'member')
      void projects.membership(engineerId, projectId).then(
        (role) => role ?? socket.removed(projectId, engineerId),
        () => undefined,
      );
  });
  const sweep = createSweep({
    database,
    index,
    recovery,
    drain,
    pace,
    contention,
    post,
    courier,
    log,
    parkedMs: config.leases.parkedMs,
    landingMs: config.leases.landingMs,
    events: config.events,
    prune: async () => {
      await checkpoints.prune(config.checkpoints);
      await messages.prune(config.messages);
    },
    // The logical clock is to be looked at twice in its greatest step.
    everyMs: Math.min(1000, config.leases.maxStepMs / 2),
  });

  return {
    config,
    log,
    version,
    engines: kinds,
    database,
    leases,
    bus,
    feed,
    ledger,
    index,
    projects,
    auth,
    keys,
    invitations,
    usage,
    sessions,
    checkpoints,
    recovery,
    claims,
    checks,
    allocations,
    features,
    pick,
    endings,
    roadmap,
    search,
    embedder,
    learnings,
    transfer,
    decisions,
    waiting,
    requests,
    patches,
    courier,
    history,
    messages,
    status,
    health,
    limits,
    tickets,
    socket,
    sweep,
    metrics,
    setupCode,
    sockets: () => socket.size(),
    /** Everything that is held is in the index before the first request. */
    async start() {
      try {
        await index.settle(await projectsAlive(database.db));
      } catch (error) {
        index.wasAway();
        log.warn({ err: error }, 'the lease store is away; the ledger serves until it is back');
      }
      sweep.start();
      health.serving();
      embedder?.start();
      void catchUp.run().then(() => embedder?.wake());
    },
    async stop() {
      health.draining();
      catchUp.stop();
      await embedder?.stop();
      await sweep.stop();
      await drain.stop();
      await contention.flush();
      await usage.stop();
      socket.closeAll();
      feed.close();
      await bus.close();
      await leases.close();
      await database.close();
    },
  };
}

/** Made once and kept. */
function saltIn(dataDir: string): string {
  const file = join(dataDir, 'api-key-salt');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const salt = randomBytes(32).toString('hex');
  // Whole or not at all: a server killed meanwhile would leave an empty one, and tickets are signed with it.
  writeFileSync(`${file}.part`, `${salt}\n`, { mode: 0o600 });
  renameSync(`${file}.part`, file);
  return salt;
}
