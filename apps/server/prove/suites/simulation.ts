import { scopes } from '@nexus/contract';
import { sql } from 'drizzle-orm';
import { type Database, rows } from '../../src/engines/database/database.ts';
import { openPglite } from '../../src/engines/database/pglite.ts';
import { migrations } from '../../test/harness.ts';
import { auditHistory } from '../../test/lib/audit-history.ts';
import { auditLedger } from '../../test/lib/audit.ts';
import type { Entry } from '../../test/lib/workload.ts';
import { createRandom } from '../lib/random.ts';
import { createReport, type Suite } from '../lib/suite.ts';
import { runAgent, type World } from '../sim/agent.ts';
import { createSimulatedDatabase } from '../sim/database.ts';
import { createSimulatedLeases, type Times } from '../sim/leases.ts';
import { createScheduler } from '../sim/scheduler.ts';
import { createSimulatedServer } from '../sim/server.ts';

const STEPS = 800;
const SERVERS = 4;
const AGENTS = 12;
const times: Times = { ttlMs: 4000, graceMs: 1000, maxStepMs: 1000 };

export const simulation: Suite = {
  name: 'simulation',
  shows: `${SERVERS} servers and ${AGENTS} agents in one process, in virtual time, each step by chance: crashes, losses, roll-backs; a seed repeats it exactly`,
  needs: 'nothing',
  async run({ seed, quick, first, note }) {
    const report = createReport();
    const runs = quick ? 5 : 200;
    let picks = 0;
    await onEmptyDatabases(async (empty) => {
      for (let each = 0; each < runs; each += 1) {
        if (each % 20 === 19) note(`${each + 1} of ${runs} seeds`);
        // A database slows down with what all seeds before have left in it.
        const shared = await empty(each % 20 === 0);
        const done = await simulate(shared, seed + each);
        report.operations += done.steps;
        report.faults += done.faults;
        picks += done.picks;
        report.broken(done.violations, `--seed ${seed + each}`);
        if (first && report.violations.length > 0) return;
        if (each > 0) continue;
        const again = await simulate(shared, seed);
        report.expect(again.trace === done.trace, `--seed ${seed}: a second run took another way, so this is not deterministic`);
      }
    });
    return { ...report, figures: `${runs} seeds, ${picks} picks` };
  },
};

/** Hands out the same database until it is asked for a new one. */
async function onEmptyDatabases(work: (get: (anew: boolean) => Promise<Database>) => Promise<void>) {
  let open = await openPglite({ dataDir: undefined, migrations });
  const dump = await open.client.dumpDataDir('none');
  try {
    await work(async (anew) => {
      if (!anew) return open;
      await open.close();
      Bun.gc(true);
      open = await openPglite({ dataDir: undefined, migrations, dump });
      return open;
    });
  } finally {
    await open.close();
  }
}

async function simulate(shared: Database, seed: number) {
  const random = createRandom(seed, 'simulation');
  const scheduler = createScheduler(random);
  const violations: string[] = [];
  const broken = (what: string) => void violations.push(what);
  const database = createSimulatedDatabase({ shared, scheduler, random });
  const leases = createSimulatedLeases({ scheduler, random, times, broken });
  const needs = { scheduler, times, database: database.for, leases: leases.for, broken };
  const names = Array.from({ length: SERVERS }, (_, number) => `server ${number}`);
  const servers = await Promise.all(names.map((name) => createSimulatedServer({ ...needs, name })));
  const { projectId, person, slugs } = await prepare(shared, random.below(2 ** 31));
  await Promise.all(servers.map((server) => server.start()));

  let over = false;
  let faults = 0;
  let loss = 0;
  const history: Entry[] = [];
  const world: World = { scheduler, random, times, servers, projectId, person, slugs, loss: () => loss, history, over: () => over, broken };
  const agents = Array.from({ length: AGENTS }, (_, number) => runAgent(world, number, number % 2 === 0));

  const back: Array<{ at: number; end: () => Promise<void> | void }> = [];
  const later = (ms: number, end: () => Promise<void> | void) => void back.push({ at: scheduler.now() + ms, end });
  async function mend(all: boolean) {
    for (const one of back.filter(({ at }) => all || at <= scheduler.now())) {
      back.splice(back.indexOf(one), 1);
      await one.end();
    }
  }
  /** Something goes wrong, and mostly comes right again after a while. */
  async function trouble() {
    faults += 1;
    const server = random.pick(servers);
    const kind = random.below(8);
    if (kind <= 1 && server.deps()) {
      const dying = server.being();
      server.kill();
      await database.died(dying);
      later(random.below(3000), () => server.start());
    } else if (kind === 2) leases.flush();
    else if (kind === 3) await leases.setBack(1 + random.below(8));
    else if (kind === 4) leases.leap(random.pick([3_600_000, -3_600_000, 7000]));
    else if (kind === 5) {
      leases.trouble.away = true;
      later(random.below(6000), () => void (leases.trouble.away = false));
    } else if (kind === 6) {
      database.trouble.away = true;
      later(random.below(3000), () => void (database.trouble.away = false));
    } else {
      leases.trouble.loss = database.trouble.loss = loss = 0.03;
      later(random.below(3000), () => void (leases.trouble.loss = database.trouble.loss = loss = 0));
    }
  }

  while (scheduler.steps() < STEPS) {
    if (random.chance(0.006)) await trouble();
    await mend(false);
    if (!(await scheduler.step())) break;
  }
  await mend(true);
  for (const server of servers) if (!server.deps()) await server.start();
  over = true;
  let ended = false;
  void Promise.all(agents).then(() => (ended = true));
  // Some hundred are usual: who is not through by then waits for what never comes.
  for (let more = 0; !ended && more < 20_000 && (await scheduler.step()); more += 1);
  if (!ended) broken('an agent never came to its end');
  const trace = scheduler.trace();
  while (database.isBusy() && (await scheduler.step()));
  // While much is held, and again when nothing is.
  violations.push(...(await auditLedger(shared, projectId)));

  // Nobody beats any more: everything must come free by itself.
  const until = scheduler.now() + times.ttlMs + times.graceMs + 4 * times.maxStepMs;
  while (scheduler.now() < until && (await scheduler.step()));
  const live = await rows<{ id: string }>(shared.db, sql`select id from sessions where project_id = ${projectId} and status = 'active'`);
  if (live.length > 0) broken(`${live.length} silent sessions are still alive`);
  const ends = await rows<{ id: string }>(shared.db, sql`select id from sessions where project_id = ${projectId} and status = 'lost'`);
  for (const { id } of ends) if (!leases.wasCondemned(id)) broken(`${id} was lost and never condemned`);
  await compareIndex(shared, leases.itself(), projectId, broken);
  violations.push(...(await auditLedger(shared, projectId)), ...(await auditHistory(shared.db, projectId, history)));
  for (const server of servers) server.kill();
  const picks = history.filter(({ verb, outcome }) => verb === 'pick' && outcome === 'ok').length;
  return { violations, trace, picks, steps: scheduler.steps(), faults: faults + leases.trouble.faults + database.trouble.faults };
}

/** A project with features of which each overlaps its neighbours, and a member who runs all agents. */
async function prepare(shared: Database, salt: number) {
  const [engineer, projectId] = [crypto.randomUUID(), crypto.randomUUID()];
  const count = 8;
  const slugs = Array.from({ length: count }, (_, number) => `feature-${number}`);
  const { db } = shared;
  await db.execute(sql`insert into engineers (id, name, email) values (${engineer}, 'Ann', ${`${engineer}@example.org`})`);
  await db.execute(
    sql`insert into projects (id, name, slug, owner_id, default_branch) values (${projectId}, 'P', ${`p-${salt}-${projectId}`}, ${engineer}, 'main')`,
  );
  await db.execute(sql`insert into ledgers (project_id, ledger_id) values (${projectId}, ${crypto.randomUUID()})`);
  await db.execute(sql`insert into members (project_id, engineer_id, role) values (${projectId}, ${engineer}, 'lead')`);
  for (const [number, slug] of slugs.entries()) {
    const touches = [`shared/${number}/`, `shared/${(number + 1) % count}/file.ts`, `ro:docs/${number % 3}.md`];
    await db.execute(sql`
      insert into features (id, project_id, slug, title, spec, status, lane, priority, touches, depends_on, created_by)
      values (${crypto.randomUUID()}, ${projectId}, ${slug}, ${slug}, '', 'ready', 'now', ${number}, ${JSON.stringify(touches)}::jsonb, '[]'::jsonb, ${engineer})`);
  }
  const ann = { id: engineer, name: 'Ann', email: `${engineer}@example.org`, role: 'engineer' as const };
  const person = { engineer: ann, keyId: 'key', secret: 1, scopes, boundTo: null };
  return { projectId, person, slugs };
}

async function compareIndex(
  shared: Database,
  leases: ReturnType<ReturnType<typeof createSimulatedLeases>['itself']>,
  projectId: string,
  broken: (what: string) => void,
) {
  const [ledger] = await rows<{ ver: string }>(shared.db, sql`select ver from ledgers where project_id = ${projectId}`);
  const stands = await leases.version(projectId);
  if (stands?.ver !== Number(ledger?.ver)) broken(`the index stands at ${stands?.ver}, the ledger at ${ledger?.ver}`);
  const held = await rows<{ node: string }>(shared.db, sql`select node from claims where project_id = ${projectId} and ended_ver is null`);
  const seen = (await leases.check(projectId, [{ node: '', mode: 'write' }], []))?.conflicts ?? [];
  if (held.length === 0 && seen.length > 0) broken(`the index has ${seen.length} claims that the ledger has not`);
}
