import { sql } from 'drizzle-orm';
import { rows } from '../../src/engines/database/database.ts';
import { openPostgres } from '../../src/engines/database/postgres.ts';
import { eventually, migrations } from '../../test/harness.ts';
import { auditAnswers, auditLedger } from '../../test/lib/audit.ts';
import { checkEvents } from '../checker/events.ts';
import { readLog } from '../checker/log.ts';
import { checkRegisters, type Registers } from '../checker/registers.ts';
import { allEvents } from '../lib/events.ts';
import { createReport, type OpenReport, type Run, type Suite } from '../lib/suite.ts';
import { faults } from '../world/faults.ts';
import { GRACE, startWorld, TTL, type World } from '../world/world.ts';

export const chaos: Suite = {
  name: 'chaos',
  shows: 'server and agent processes on real engines, everything between them broken in every way: no rule of the design breaks',
  needs: 'programs',
  run: (run) =>
    runChaos(run, run.quick ? { servers: 2, processes: 2, agents: 4, rounds: 0.4 } : { servers: 4, processes: 8, agents: 8, rounds: 7.5 }),
};

type Size = { servers: number; processes: number; agents: number; /** How often each fault comes. */ rounds: number };

async function runChaos({ random, note }: Run, size: Size) {
  const report = createReport();
  const world = await startWorld(size);
  try {
    await eventually('the agents are at work', () => world.lines().length > 20 * size.processes, 60_000);
    const deck = Array.from({ length: Math.ceil(size.rounds) }, () => random.shuffled(Object.keys(faults))).flat();
    const now = deck.slice(0, Math.round(Object.keys(faults).length * size.rounds));
    for (const [position, name] of now.entries()) {
      if (position % 20 === 19) note(`${position + 1} of ${now.length} faults`);
      await provoke(world, name, report, random);
    }
    await quiesce(world);
    const registers = await check(world, report);
    return { ...report, figures: figuresOf(world, registers) };
  } finally {
    const kept = await world.end({ keep: report.violations.length > 0 });
    if (kept) note(`what agents heard and servers said is in ${kept}`);
  }
}

/** Mostly one fault at a time; now and then the next one comes while it lasts. */
async function provoke(world: World, name: string, report: OpenReport, random: Run['random']) {
  const fault = faults[name];
  if (!fault) return;
  report.faults += 1;
  // What is done to an engine may fail while another fault has it; alone it must not.
  const alone = pending.size === 0;
  const done = fault(world, random).catch((error: unknown) => {
    if (alone && pending.size <= 1) report.broken(`${name}: ${String(error)}`, 'the harness');
  });
  await Promise.race([done, Bun.sleep(random.chance(0.3) ? 500 : 15_000)]);
  await Bun.sleep(200 + random.below(800));
  pending.add(done);
  void done.finally(() => pending.delete(done));
}
const pending = new Set<Promise<void>>();

/** Everything is mended, agents finish what they are at and go without a good-bye, and what they held comes free. */
async function quiesce({ redis, servers, toPostgres, pg, working, lead, projectId }: World) {
  await Promise.all(pending);
  await redis.mend();
  toPostgres.stall(false);
  await pg.start();
  for (const server of servers) {
    server.signal('SIGCONT');
    await server.start();
  }
  await Bun.sleep(2000);
  await Promise.all(
    working().map(async ({ child }) => {
      child.kill('SIGCONT');
      await child.stdin.end();
      await Promise.race([child.exited, Bun.sleep(20_000)]);
    }),
  );
  await eventually(
    `nobody holds anything ${TTL + GRACE + 2} s after the last agent went`,
    async () => {
      const { claims, sessions } = await lead.status({ projectId });
      return claims.length === 0 && sessions.length === 0;
    },
    (TTL + GRACE + 2) * 1000 + 15_000,
  );
}

async function check(world: World, report: OpenReport): Promise<Registers> {
  const { lead, projectId, pg, redis } = world;
  const { ops, lives, bugs } = readLog(world.lines());
  report.operations = ops.length;
  for (const bug of bugs) report.broken(bug, 'answered 500');
  for (const line of world.output().split('\n')) if (line.includes('a bug')) report.broken(line.slice(0, 1500), 'a server said');
  for (const { session, lost, greatestGap } of lives) {
    if (lost && greatestGap <= TTL * 1000 - 500) report.broken(`${session} tried to beat every ${Math.round(greatestGap)} ms and was lost`);
  }
  const ledger = await openPostgres({ url: pg.url, migrations, poolSize: 2 });
  let registers: Registers;
  try {
    const holds = await rows<{ session: string; slug: string; fence: string; endedAs: string }>(
      ledger.db,
      sql`select h.session_id as session, f.slug, h.fence, h.ended_as as "endedAs" from holds h join features f on f.id = h.feature_id where h.project_id = ${projectId}`,
    );
    const lost = await rows<{ id: string }>(ledger.db, sql`select id from sessions where project_id = ${projectId} and status = 'lost'`);
    const known = { lost: new Set(lost.map(({ id }) => id)), holds: holds.map((hold) => ({ ...hold, fence: Number(hold.fence) })) };
    registers = checkRegisters(ops, known);
    report.broken(registers.broken);
    const granted = new Map(known.holds.map((hold) => [hold.fence, hold]));
    for (const { verb, session, answer, on } of ops) {
      if (!answer?.ok || (verb !== 'pick' && verb !== 'release')) continue;
      const hold = granted.get(answer.fence ?? 0);
      if (verb === 'pick' && (hold?.session !== session || hold.slug !== answer.on))
        report.broken(`${answer.on} was given to ${session} under ${answer.fence}, and the ledger has ${JSON.stringify(hold)}`);
      if (verb === 'release' && answer.fence !== null) report.broken(`a release of ${on} left fence ${answer.fence}`);
    }
    report.broken(await auditLedger(ledger, projectId), 'the ledger');
  } finally {
    await ledger.close();
  }
  report.broken(checkEvents(await allEvents(lead, projectId)), 'the events');
  report.broken(await auditAnswers(lead, projectId), 'the answers');
  const keys = await redis.primary().admin((admin) => admin.keys(`nx:{${projectId}}:*`));
  report.expect(
    keys.every((key) => key.endsWith(':meta')),
    `Redis still has ${keys.join(', ')}`,
  );
  return registers;
}

function figuresOf(world: World, { calls, unknown, undecided }: Registers): string {
  const { ops, lives } = readLog(world.lines());
  const count = (verb: string) => ops.filter((op) => op.verb === verb && op.answer?.ok).length;
  const refused = ops.filter(({ answer }) => answer && !answer.ok).length;
  return `${count('pick')} picks, ${count('lock')} locks, ${count('extend') + count('release')} fenced writes, ${refused} refusals, ${lives.filter(({ lost }) => lost).length} sessions lost; ${calls} calls in an order that fits, ${unknown} never answered, ${undecided} objects undecided`;
}
