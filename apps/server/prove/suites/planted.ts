import { bugs } from '../bugs/bugs.ts';
import { copySource } from '../bugs/copy.ts';
import { createReport, type Suite } from '../lib/suite.ts';

/** A suite that sees a bug sees it soon; one that hangs because of it has seen it too, but not said so. */
const PATIENCE_MS = 120_000;

export const planted: Suite = {
  name: 'planted',
  shows: `${bugs.length} bugs, each planted alone in a copy of the source: the suite that is named for it must notice`,
  needs: 'team',
  onlyWhole: true,
  async run({ seed, quick, only, random, note }) {
    const report = createReport();
    const copy = copySource();
    const named = bugs.filter(({ name }) => only.length === 0 || only.some((words) => name.includes(words)));
    const chosen = quick ? random.shuffled(named).slice(0, 3) : named;
    let caught = 0;
    try {
      for (const bug of chosen) {
        const takeOut = copy.plant(bug);
        const { noticed, output } = await runSuite(copy.main, bug.suite, seed);
        takeOut();
        report.operations += 1;
        report.faults += 1;
        if (noticed) caught += 1;
        else report.broken(`${bug.suite} did not notice: ${bug.name}\n${output}`);
        note(`${bug.name}: ${noticed ?? 'NOT NOTICED'}`);
      }
    } finally {
      copy.remove();
    }
    return { ...report, planted: { of: chosen.length, caught } };
  },
};

/** The first violation that a suite names. */
async function runSuite(main: string, suite: string, seed: number): Promise<{ noticed: string | undefined; output: string }> {
  const child = Bun.spawn([process.execPath, '--no-orphans', main, suite, '--first', '--seed', String(seed)], {
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const [output, errors, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  clearTimeout(late);
  const [, noticed] = /^BROKEN .*\n\s*(.*)/m.exec(output) ?? [];
  return { noticed: code === 1 ? noticed : undefined, output: (output + errors).slice(-2000) };
}
