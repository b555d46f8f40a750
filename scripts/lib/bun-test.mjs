import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { stripVTControlCharacters } from 'node:util';
import { onClose } from './closers.mjs';
import { root } from './root.mjs';

/** Runs `bun test` with these arguments, shows its output, and answers `{ passed, failed, skipped }`. */
export async function runBunTest(bun, args, env) {
  // Test files run beside each other, each in a process of its own, one more than there are cores, for many of them wait; more than four
  // would only wait for one Postgres.
  const parallel = `--parallel=${Math.min(availableParallelism() + 1, 4)}`;
  // `--no-orphans`: servers that a test started end with the run, even when it is killed.
  const child = spawn(bun, ['test', parallel, '--no-orphans', '--timeout', '60000', ...args], {
    cwd: root,
    env: { ...env, ...(process.stderr.isTTY && { FORCE_COLOR: '1' }) },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const forget = onClose(() => {
    if (child.exitCode === null) child.kill('SIGTERM');
  });
  let tail = '';
  child.stderr.on('data', (chunk) => {
    process.stderr.write(chunk);
    tail = (tail + chunk).slice(-20_000);
  });
  const code = await new Promise((resolve) => {
    child.once('error', () => resolve(127));
    child.once('close', (status) => resolve(status ?? 1));
  });
  await forget();
  return countsOf(stripVTControlCharacters(tail), code);
}

/**
 * Bun's own summary is the one place that counts files which failed to load. A test that ends the process leaves none,
 * with exit code 0: that run has failed.
 */
export function countsOf(output, code) {
  const end = output.search(/^Ran \d+ tests? across /m);
  const summary = end === -1 ? '' : output.slice(0, end).split('\n').slice(-12).join('\n');
  const number = (word) => Number(new RegExp(`^ *(\\d+) ${word}$`, 'm').exec(summary)?.[1] ?? 0);
  const failed = number('fail');
  if (end === -1) console.log('bun test ended without its summary: a test ended the process, or a filter matched no file.');
  return {
    passed: number('pass'),
    failed: failed === 0 && (code !== 0 || end === -1) ? 1 : failed,
    skipped: number('skip') + number('todo'),
  };
}
