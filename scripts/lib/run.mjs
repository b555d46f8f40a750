import { spawn } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { findBun } from './bun.mjs';
import { installDependencies } from './install.mjs';
import { watchNpm } from './parents.mjs';
import { root, say } from './root.mjs';

/** Gets Bun and the dependencies ready and answers Bun's path; ends this process with a message when that fails. */
export async function ready() {
  try {
    const bun = await findBun();
    await installDependencies(bun);
    return bun;
  } catch (error) {
    say(error.message);
    process.exit(1);
  }
}

/** Scripts that call `bun` find the one that was chosen. */
export const withBun = (bun, env = process.env) => ({ ...env, PATH: [dirname(bun), env.PATH].filter(Boolean).join(delimiter) });

/** Runs Bun in this process's place: same terminal, same signals, same exit code. */
export async function runBun(args) {
  const bun = await ready();
  // `--no-orphans`: Bun ends by itself when this process is killed outright.
  const child = spawn(bun, ['--no-orphans', ...args], { stdio: 'inherit', cwd: root, env: withBun(bun) });
  const last = new Map();
  const forward = (signal) => {
    // Ctrl-C reaches the whole foreground group, npm then repeats it: the child must not take the echo for a second order.
    if (signal === 'SIGINT' && process.stdin.isTTY) return;
    if (Date.now() - (last.get(signal) ?? 0) < 500) return;
    last.set(signal, Date.now());
    child.kill(signal);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, forward);

  const npmStands = watchNpm();
  const orphaned = setInterval(() => {
    if (npmStands()) return;
    clearInterval(orphaned);
    forward('SIGTERM');
  }, 250);

  child.once('error', (error) => {
    say(`Could not run ${bun}: ${error.message}`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => {
    clearInterval(orphaned);
    process.exitCode = code ?? 128 + ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 0);
    process.exit();
  });
}
