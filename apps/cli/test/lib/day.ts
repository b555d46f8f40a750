import { NexusError } from '@nexus/client';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Verdict } from '../../src/hook/event.ts';
import { type Agent, append, type Machine } from './hook-world.ts';

/** What one commit of the history changed. */
export type Work = { subject: string; paths: string[] };

/** This repository's own commits, oldest first: `git log --reverse --no-merges --name-status`, those of at most nine files. */
export function readHistory(): Work[] {
  const text = readFileSync(join(import.meta.dirname, '..', 'fixtures', 'history.txt'), 'utf8');
  return text
    .split(/^(?! )/m)
    .filter((entry) => entry.trim() !== '')
    .map((entry) => {
      const [subject = '', ...changes] = entry.trim().split('\n');
      return { subject, paths: changes.map((line) => line.trim().slice(2)) };
    });
}

export type Worker = { name: string; agent: Agent; machine: Machine; dir: string };

/** What the day came to. The lists are empty when the guard judged as the model of who holds what does. */
export type Day = { calls: number; denials: number; refusedPicks: number; wrong: string[]; unprompted: string[]; held: string[] };

type Claim = { path: string; by: Worker };

const overlap = (a: string, b: string): boolean => a === b || (a.endsWith('/') && b.startsWith(a)) || (b.endsWith('/') && a.startsWith(b));

/** Directories of which a commit changed three files or more are declared as such. */
export function touchesOf({ paths }: Work): string[] {
  const dirOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);
  const many = new Set(paths.map(dirOf).filter((dir) => dir !== '' && paths.filter((path) => dirOf(path) === dir).length > 2));
  return [...new Set(paths.map((path) => (many.has(dirOf(path)) ? dirOf(path) : path)))];
}

/**
 * Workers take the commits in turn, one tool call of one of them after another's, and a model that knows nothing of
 * Nexus says who holds what: each verdict of the guard is compared with it. `turn` chooses who goes on.
 */
export async function replay(
  projectId: string,
  workers: Worker[],
  history: Work[],
  { turn, most }: { turn: () => number; most: number },
): Promise<Day> {
  const day: Day = { calls: 0, denials: 0, refusedPicks: 0, wrong: [], unprompted: [], held: [] };
  const claims: Claim[] = [];
  const dirty = new Set<string>();
  const left = [...history];

  const foreign = (path: string, by: Worker): boolean => claims.some((claim) => claim.by !== by && overlap(claim.path, path));
  const take = (path: string, by: Worker): void => {
    if (!claims.some((claim) => claim.by === by && overlap(claim.path, path))) claims.push({ path, by });
  };
  const give = (by: Worker): void => {
    for (const claim of claims.filter((one) => one.by === by)) claims.splice(claims.indexOf(claim), 1);
  };
  /** `told`: whether the agent may be told anything besides a denial. */
  const judge = (what: string, by: Worker, verdict: Verdict, { deny, told }: { deny: boolean; told: boolean }): boolean => {
    day.calls += 1;
    if (verdict.deny !== undefined) day.denials += 1;
    if ((verdict.deny !== undefined) !== deny)
      day.wrong.push(`${by.name}: ${what} was ${deny ? 'let through' : `denied: ${verdict.deny ?? ''}`}`);
    if (!told && (verdict.context ?? verdict.notice) !== undefined)
      day.unprompted.push(`${by.name}: ${what}: ${verdict.context ?? ''}${verdict.notice ?? ''}`);
    return verdict.deny === undefined;
  };
  const shell = async (by: Worker, command: string, expected = { deny: false, told: false }): Promise<boolean> => {
    const { before, after } = await by.agent.bash(command);
    if (expected.told && after.context === undefined) day.wrong.push(`${by.name}: ${command} was not told of`);
    return judge(command, by, { ...before, ...after }, expected);
  };
  /** The `nexus` command as an agent's shell runs it, without a process for it. */
  const nexus = async (by: Worker, command: string, call: (session: string) => Promise<unknown>): Promise<boolean> => {
    const tool = { tool_name: 'Bash', tool_input: { command } };
    const before = await by.agent.send('PreToolUse', tool);
    const done = await call(`claude:${by.agent.sessionId}`).then(
      () => true,
      (error: unknown) => {
        if (error instanceof NexusError && error.code === 'FILE_ALREADY_CLAIMED') return false;
        throw error;
      },
    );
    judge(command, by, { ...before, ...(await by.agent.send('PostToolUse', tool)) }, { deny: false, told: false });
    return done;
  };

  async function* editing(by: Worker, path: string, way: number): AsyncGenerator<void> {
    const deny = foreign(path, by);
    if (way % 5 === 4) {
      // What a script writes is not known before; of a foreign path it is told afterwards.
      await shell(by, `sh -c 'echo ${way} >> ${path}'`, { deny: false, told: deny });
      if (!deny) take(path, by);
      dirty.add(`${by.dir} ${path}`);
      return;
    }
    const command = `echo ${way} >> ${path}`;
    const allowed =
      way % 5 === 3
        ? await shell(by, command, { deny, told: false })
        : judge(`edit of ${path}`, by, await by.agent.edit(path), { deny, told: false });
    if (!allowed) return;
    if (way % 5 !== 3) append(by.dir, path);
    take(path, by);
    dirty.add(`${by.dir} ${path}`);
    yield;
  }

  async function* working(by: Worker, { subject, paths }: Work, slug: string): AsyncGenerator<void> {
    const touches = touchesOf({ subject, paths });
    const { client } = by.machine;
    await by.agent.send('UserPromptSubmit', { prompt: subject });
    const free = !touches.some((path) => foreign(path, by));
    const picked = await nexus(by, `nexus feature pick ${slug}`, (session) => client.pickFeature({ projectId, slug }, { session }));
    if (picked !== free) day.wrong.push(`${by.name}: the pick of ${slug} was ${picked ? 'granted' : 'refused'}`);
    if (picked) claims.push(...touches.map((path) => ({ path, by })));
    else day.refusedPicks += 1;
    yield;
    await shell(by, `git log -1 --oneline; cat ${paths[0] ?? ''} | head -3`);
    yield;
    const own: string[] = [];
    for (const [index, path] of paths.entries()) {
      yield* editing(by, path, index + subject.length);
      if (!foreign(path, by)) own.push(path);
      yield;
    }
    const inWay = [...dirty].some((entry) => entry.startsWith(`${by.dir} `) && foreign(entry.slice(by.dir.length + 1), by));
    const shared = workers.some((other) => other !== by && other.dir === by.dir);
    if (subject.length % 3 === 0) await shell(by, 'git add -A', { deny: inWay && shared, told: false });
    yield;
    if (own.length > 0) await shell(by, `git add ${own.join(' ')} && git commit -qm "${slug}" -- ${own.join(' ')}`);
    for (const path of own) dirty.delete(`${by.dir} ${path}`);
    yield;
    if (picked) await nexus(by, 'nexus feature done', (session) => client.doneFeature({ projectId, slug }, { session }));
    else await nexus(by, 'nexus claims release', (session) => client.releaseClaims({ projectId }, { session }));
    give(by);
    yield;
  }

  const running = workers.map((by) => ({ by, work: undefined as AsyncGenerator<void> | undefined }));
  while (day.calls < most && (left.length > 0 || running.some(({ work }) => work !== undefined))) {
    const one = running[turn() % running.length];
    if (one === undefined) break;
    const next = one.work === undefined ? left.shift() : undefined;
    if (next !== undefined) one.work = working(one.by, next, `work-${history.indexOf(next)}`);
    if ((await one.work?.next())?.done !== false) one.work = undefined;
  }
  day.held = claims.map(({ path, by }) => `${path} ${by.name}`).sort();
  return day;
}
