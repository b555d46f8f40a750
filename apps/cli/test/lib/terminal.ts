import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../../server/test/harness.ts';
import type { Checkout, Done } from './checkout.ts';

/** A shell that leads a session of its own, as one in a terminal window does. */
export type Terminal = { run: (command: string) => Promise<Done>; kill: () => void; close: () => void };

export function openTerminal({ dir, env }: Pick<Checkout, 'dir' | 'env'>): Terminal {
  const folder = mkdtempSync(join(tmpdir(), 'nxt-'));
  const shell = spawn('bash', [], { cwd: dir, env, detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  let count = 0;
  return {
    run: async (command) => {
      const file = join(folder, String((count += 1)));
      shell.stdin.write(`{ ${command}\n} >${file}.out 2>${file}.err </dev/null; echo $? >${file}.part; mv ${file}.part ${file}.code\n`);
      await eventually(command, () => existsSync(`${file}.code`));
      const [out, err, code] = ['out', 'err', 'code'].map((kind) => readFileSync(`${file}.${kind}`, 'utf8'));
      return { out: out ?? '', err: err ?? '', code: Number(code) };
    },
    kill: () => void shell.kill('SIGKILL'),
    close: () => {
      shell.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
