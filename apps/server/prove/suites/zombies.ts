import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, NexusError } from '@nexus/client';
import { canRun, createTestDatabase, type EngineSet, eventually, people, readyFeature, spawnServer, terminal } from '../../test/harness.ts';
import { auditAnswers } from '../../test/lib/audit.ts';
import { keepalive, type Keepalive } from '../../test/lib/keepalive.ts';
import { createReport, type OpenReport, type Suite } from '../lib/suite.ts';
import type { Act, Held, Orders } from '../world/zombie.ts';

const TTL = 2;
const GRACE = 1;
const program = fileURLToPath(new URL('../world/zombie.ts', import.meta.url));

export const zombies: Suite = {
  name: 'zombies',
  shows: 'agents stopped for longer than their lease, whose work others took, wake up and change nothing: every call is a 409 or 410',
  needs: 'nothing',
  async run({ quick }) {
    const report = createReport();
    for (const set of ['embedded', 'team'] as const) if (canRun(set)) await haunt(set, report, quick ? [2, 2] : [5, 5]);
    return report;
  },
};

async function haunt(set: EngineSet, report: OpenReport, [processes, each]: [number, number]) {
  const dataDir = mkdtempSync(join(tmpdir(), 'nexus-zombies-'));
  const database = set === 'team' ? await createTestDatabase() : undefined;
  const server = await spawnServer({
    NEXUS_DATA_DIR: dataDir,
    LEASE_TTL_SECONDS: String(TTL),
    GRACE_SECONDS: String(GRACE),
    LOG_LEVEL: 'warn',
    ...(database && { DATABASE_URL: database.url, REDIS_URL: process.env['TEST_REDIS_URL'] ?? '' }),
  });
  const running: ReturnType<typeof startZombies>[] = [];
  let keeper: Keepalive | undefined;
  try {
    const lead = (await people(server.anonymous).engineer('Lead')).with({ retries: 5 });
    const { id: projectId } = await lead.createProject({ body: { name: 'Project', slug: 'project' } });
    const beating = (keeper = keepalive({ client: lead, everyMs: 300 }));
    await lateCalls(lead, projectId, report, set);
    const slugs = Array.from({ length: processes * each }, (_, number) => `feature-${number}`);
    await readyFeature(lead, projectId, 'free', ['free/']);
    for (const slug of slugs) await readyFeature(lead, projectId, slug, [`${slug}/a.ts`, `${slug}/b/`]);
    for (let number = 0; number < processes; number += 1) {
      const own = slugs.slice(number * each, (number + 1) * each);
      running.push(startZombies({ server: server.url, apiKey: lead.options.apiKey ?? '', projectId, slugs: own, free: 'free' }));
    }
    const held = (await Promise.all(running.map(({ heard }) => heard<Held[]>()))).flat();
    report.operations += held.length;

    for (const { child } of running) child.kill('SIGSTOP');
    report.faults += running.length;
    const takers = await Promise.all(held.map(({ slug }) => takeOver(lead, beating, projectId, slug)));
    const before = await lead.status({ projectId });
    for (const { child } of running) child.kill('SIGCONT');
    const acts = await Promise.all(
      running.map(async ({ child, heard }) => {
        await child.stdin.write('go\n');
        await child.stdin.flush();
        return heard<Act[]>();
      }),
    );
    for (const { slug, verb, named, status, code } of acts.flat()) {
      report.operations += 1;
      const how = `${set}: a ${verb} of ${slug} ${named ? 'with its old fence' : 'without a fence'}`;
      report.expect(status === 409 || status === 410, `${how} was answered ${status} ${code}`);
    }
    const after = await lead.status({ projectId });
    report.expect(Bun.deepEquals(after.activeFeatures, before.activeFeatures), `${set}: what zombies said changed what is active`);
    report.expect(after.claims.length === before.claims.length, `${set}: what zombies said changed what is held`);
    for (const [position, fence] of takers.entries()) {
      const old = held[position];
      report.expect(fence > (old?.fence ?? 0), `${set}: ${old?.slug} was taken over under ${fence}, after ${old?.fence}`);
    }
    report.broken(await auditAnswers(lead, projectId), set);
  } finally {
    for (const { child } of running) child.kill('SIGKILL');
    await keeper?.stop();
    server.kill();
    await server.exited;
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function startZombies(orders: Orders) {
  const child = Bun.spawn([process.execPath, program, JSON.stringify(orders)], { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' });
  const lines = linesOf(child.stdout);
  const heard = async <T>() => {
    const line = await lines.next();
    if (line.done) throw new Error('A zombie said nothing.');
    return JSON.parse(line.value) as T;
  };
  return { child, heard };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
}

/** Somebody else picks it as soon as its holder is lost, and keeps it. */
async function takeOver(lead: Client, keeper: Keepalive, projectId: string, slug: string): Promise<number> {
  const taker = await terminal(lead, projectId, { agent: 'taker', keeper: true });
  keeper.add(taker.sessionId);
  let fence = 0;
  await eventually(
    `${slug} is free`,
    async () => {
      const picked = await taker.pickFeature({ projectId, slug }).catch((error: unknown) => error);
      if (picked instanceof NexusError && picked.status === 409) return false;
      if (picked instanceof Error) throw picked;
      fence = (picked as { fence: number | null }).fence ?? 0;
      return true;
    },
    30_000,
  );
  return fence;
}

/** Calls that come late within a living session, or from another one of the same engineer that knows the fence. */
async function lateCalls(lead: Client, projectId: string, report: OpenReport, set: EngineSet) {
  const [me, other] = [await terminal(lead, projectId), await terminal(lead, projectId)];
  await readyFeature(lead, projectId, 'late', ['late/']);
  const refused = async (what: string, call: () => Promise<unknown>) => {
    const answer = await call().catch((error: unknown) => error);
    report.operations += 1;
    report.expect(answer instanceof NexusError && answer.status === 409, `${set}: ${what}: ${JSON.stringify(answer)}`);
  };
  const old = (await me.pickFeature({ projectId, slug: 'late' })).fence ?? 0;
  await me.releaseFeature({ projectId, slug: 'late' });
  const now = (await me.pickFeature({ projectId, slug: 'late' })).fence ?? 0;
  for (const verb of ['releaseFeature', 'doneFeature', 'cancelFeature'] as const) {
    await refused(`${verb} under the fence before`, () => me[verb]({ projectId, slug: 'late', body: { fence: old } }));
    await refused(`${verb} by another session under the fence`, () => other[verb]({ projectId, slug: 'late', body: { fence: now } }));
    await refused(`${verb} by another session`, () => other[verb]({ projectId, slug: 'late' }));
  }
  await refused('a claim under the fence before', () => me.claim({ projectId, body: { paths: ['x.ts'], fence: old } }));
  await refused('a claim by another session under the fence', () => other.claim({ projectId, body: { paths: ['x.ts'], fence: now } }));
  const last = await me.releaseFeature({ projectId, slug: 'late', body: { fence: now } }).catch((error: unknown) => String(error));
  report.expect(typeof last === 'object' && last.fence === null, `${set}: a release under its fence: ${JSON.stringify(last)}`);
}
