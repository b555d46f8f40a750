import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onLeash } from '../../scripts/lib/leash.mjs';
import { eventually } from '../../scripts/lib/ports.mjs';
import { root } from '../../scripts/lib/root.mjs';
import type { LoadJob, LoadResult } from './load.ts';

export type Running = { url: string; folder: string; output: () => string; stop: () => Promise<void> };

/** Runs a program that prints `<mark> <url>` when it listens, in an environment of its own. */
export async function startProgram(args: string[], env: Record<string, string>, mark: string): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-bench-'));
  const settings = { PATH: process.env['PATH'] ?? '', HOME: folder, NEXUS_DATA_DIR: join(folder, 'data'), ...env };
  const prefix = ['env', '-i', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)];
  const { output, stop } = onLeash({ command: process.execPath, args, folder, signal: 'TERM', prefix });
  const find = () => new RegExp(`${mark} (http\\S+)`).exec(output())?.[1];
  await eventually(() => find() !== undefined, 60_000);
  const url = find();
  if (url !== undefined) return { url, folder, output, stop };
  await stop();
  throw new Error(`${args.join(' ')} did not start:\n${output()}`);
}

/** The real server, in production dress, in a process of its own. */
export const startServer = (env: Record<string, string>, bunArgs: string[] = []) =>
  startProgram(
    [...bunArgs, join(root, 'apps/server/src/main.ts')],
    { PORT: '0', NODE_ENV: 'production', API_KEY_SALT: crypto.randomUUID(), ...env },
    'Nexus is ready at',
  );

/** Sends one job from a process of its own; throws when answers were refused, for then the number means nothing. */
export async function sendLoad(job: LoadJob): Promise<LoadResult> {
  const result = JSON.parse(await runProgram([join(root, 'bench/lib/load.ts')], JSON.stringify(job))) as LoadResult;
  if (Object.keys(result.failed).length > 0) throw new Error(`Refused: ${JSON.stringify(result.failed)}\n${result.sample ?? ''}`);
  return result;
}

/** Runs a Bun program to its end; answers what it printed. */
export function runProgram(args: string[], stdin: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`${args.join(' ')} ended with ${code}`))));
    child.stdin.end(stdin);
  });
}
