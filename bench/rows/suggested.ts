import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRepository } from '../../apps/cli/src/suggest/repository.ts';
import { suggest } from '../../apps/cli/src/suggest/suggest.ts';
import { root } from '../../scripts/lib/root.mjs';
import type { Context, Measured, Row } from '../lib/row.ts';

const commits = 40;
/** One file is no question of scope, and many are a move. */
const [least, most] = [2, 15];

export const suggested: Row = { name: 'suggested', about: 'paths proposed for a commit from its message, against what it changed', run };

/** Each of the last commits as if it were a feature: its message is the spec, and the repository stands where it stood before. */
async function run({ engines, quick }: Context): Promise<Measured[]> {
  // It asks no server: once is enough.
  if (engines === 'team') return [];
  const dir = mkdtempSync(join(tmpdir(), 'nexus-bench-clone-'));
  const git = (...args: string[]) => execFileSync('git', ['-C', dir, ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  try {
    execFileSync('git', ['clone', '-q', '--shared', '--no-checkout', root, dir]);
    const all = { precision: [] as number[], recall: [] as number[] };
    for (const commit of git('rev-list', '--no-merges', '--max-count=200', 'HEAD').trim().split('\n')) {
      const changed = git('diff-tree', '-r', '--no-commit-id', '--diff-filter=M', '--name-only', commit).trim().split('\n');
      if (changed.length < least || changed.length > most) continue;
      git('checkout', '-q', '--detach', `${commit}^`);
      const repository = await readRepository(dir);
      const [title = '', ...spec] = git('log', '-1', '--format=%B', commit).split('\n');
      const { paths, hubs } = suggest({ title, spec: spec.join('\n') }, repository);
      const proposed = [...paths, ...hubs].map(({ path }) => path);
      const right = proposed.filter((path) => changed.includes(path)).length;
      all.precision.push(proposed.length === 0 ? 0 : right / proposed.length);
      all.recall.push(right / changed.length);
      if (all.recall.length >= (quick ? 10 : commits)) break;
    }
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const line = (what: string, ours: number): Measured => ({
      ...{ what: `${what} of the paths proposed for ${all.recall.length} commits`, unit: '', ours },
      ...{ baseline: undefined, ratio: undefined, goal: '-', met: true },
    });
    return [line('precision', mean(all.precision)), line('recall', mean(all.recall))];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
