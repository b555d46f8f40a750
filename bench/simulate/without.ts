import type { Work } from './history.ts';
import { conflictsAmong, type Edit, type Outcome } from './outcome.ts';

/**
 * Agents that take work from one list and know nothing of each other's files. Each works in a worktree of its own and merges
 * at the end. A file that somebody else merged meanwhile is in conflict with the chance `clash`; what it cost, its share of
 * the work, is done again on the new base, and merged again. Virtual time only.
 */
export function withoutNexus(all: Work[], agents: number, clash: number, random: () => number): Outcome {
  const queue = [...all];
  const edits: Edit[] = [];
  const mergedAt = new Map<string, number>();
  let rework = 0;
  let conflicts = 0;
  let makespan = 0;
  type Agent = { free: number; work: Work | undefined; began: number; files: string[] };
  const crew: Agent[] = Array.from({ length: agents }, () => ({ free: 0, work: undefined, began: 0, files: [] }));

  for (;;) {
    // Whoever is ready first: with work to merge, or without any.
    const agent = crew.filter(({ work }) => work ?? queue.length > 0).sort((a, b) => a.free - b.free)[0];
    if (!agent) break;
    const now = agent.free;
    if (!agent.work) {
      const work = queue.shift();
      if (!work) break;
      Object.assign(agent, { work, began: now, files: work.files, free: now + work.minutes });
      continue;
    }
    const { work } = agent;
    for (const file of agent.files) edits.push({ file, by: work.slug, from: agent.began, to: now });
    const clashing = agent.files.filter((file) => (mergedAt.get(file) ?? -1) > agent.began && random() < clash);
    for (const file of agent.files) if (!clashing.includes(file)) mergedAt.set(file, now);
    if (clashing.length === 0) {
      agent.work = undefined;
      makespan = Math.max(makespan, now);
      continue;
    }
    conflicts += clashing.length;
    const again = (work.minutes * clashing.length) / work.files.length;
    rework += again;
    Object.assign(agent, { began: now, files: clashing, free: now + again });
  }
  return { makespan, conflicts: clash === 1 ? conflictsAmong(edits) : conflicts, rework, waited: 0 };
}
