import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onClose } from './closers.mjs';
import { eventually, freePort } from './ports.mjs';
import { capture } from './programs.mjs';
import { root } from './root.mjs';

/** The built server starts on an empty folder, answers, and ends by itself on SIGTERM. */
export async function smokeServer(bun, env) {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-smoke-'));
  const port = await freePort();
  const child = spawn(bun, ['--no-orphans', 'apps/server/dist/main.js'], {
    cwd: root,
    env: { ...env, PORT: String(port), NEXUS_DATA_DIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const exit = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
  const end = onClose(async () => {
    child.kill('SIGKILL');
    await exit;
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    const healthy = () =>
      fetch(`http://127.0.0.1:${port}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
    const up = await eventually(async () => child.exitCode !== null || (await healthy()), 60_000);
    if (!up || child.exitCode !== null) throw new Error(`The built server did not answer /health:\n${output}`);
    child.kill('SIGTERM');
    const code = await Promise.race([exit, new Promise((resolve) => setTimeout(() => resolve('nothing within 20 s'), 20_000))]);
    if (code !== 0) throw new Error(`The built server answered SIGTERM with ${code}:\n${output}`);
    return true;
  } finally {
    await end();
  }
}

/** The bundled CLI runs on Node alone and knows its version, and so does the command that users put on their PATH. */
export async function smokeCli(env) {
  for (const [command, ...args] of [[process.execPath, 'apps/cli/dist/nexus.mjs'], ['bin/nexus']]) {
    const { code, output } = await capture(command, [...args, '--version'], { cwd: root, env });
    if (code !== 0 || !/^\d+\.\d+\.\d+$/m.test(output))
      throw new Error(`${command} ${args.join(' ')} --version (exit code ${code}):\n${output}`);
  }
  return true;
}
