import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkout, program } from './checkout.ts';

const fixtures = join(import.meta.dirname, '..', 'fixtures');

/** The files that the real program writes for itself, as `bun run test:clients git --record` found them. */
export function layOut(here: Checkout, manager: 'husky' | 'lefthook'): void {
  const files = JSON.parse(readFileSync(join(fixtures, `${manager}.json`), 'utf8')) as Record<string, string>;
  for (const [path, text] of Object.entries(files)) {
    const space = text.indexOf(' ');
    here.write(path, text.slice(space + 1), parseInt(text.slice(0, space), 8));
  }
}

const source = `
import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
const [verb, hook, ...args] = process.argv.slice(2);
if (verb !== 'run') process.exit(0);
const stdin = hook === 'pre-push' ? readFileSync(0) : '';
const fill = (run) => run.replaceAll(/\\{(\\d)\\}/g, (_all, n) => (n === '0' ? args.join(' ') : args[n - 1]));
let failed = false;
for (const file of ['lefthook-local.yml', 'lefthook.yml']) {
  const { jobs = [], commands = {} } = Bun.YAML.parse(readFileSync(file, 'utf8'))[hook] ?? {};
  for (const { run, use_stdin } of [...jobs, ...Object.values(commands)]) {
    const { status } = spawnSync('sh', ['-c', fill(run)], { stdio: ['pipe', 'inherit', 'inherit'], input: use_stdin ? stdin : '' });
    failed ||= status !== 0;
  }
}
process.exit(failed ? 1 : 0);
`;

/** As much of lefthook as its hooks call: runs what its two files say for one. Answers the folder for PATH. */
export function lefthook(here: Checkout): string {
  const bin = join(here.dir, '..', 'lefthook');
  mkdirSync(bin, { recursive: true });
  here.write('../lefthook/lefthook.mjs', source);
  program(join(bin, 'lefthook'), `#!/bin/sh\nexec '${process.execPath}' '${join(bin, 'lefthook.mjs')}' "$@"\n`);
  return bin;
}
