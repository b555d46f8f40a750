import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onClose } from '../lib/closers.mjs';
import { onLeash } from '../lib/leash.mjs';
import { eventually } from '../lib/ports.mjs';
import { capture } from '../lib/programs.mjs';
import { root } from '../lib/root.mjs';

const bun = process.execPath;
const cli = join(root, 'apps/cli/src/main.ts');
export const lease = { ttl: 5, grace: 2 };

/**
 * What outlives its parent by design, the keepers, must not outlive the demo, in whatever way that ends. Input: lines of
 * process ids, negative ones for groups; the last line counts.
 */
const undertaker = 'while read -r line; do pids=$line; done; [ -z "$pids" ] || kill -s KILL -- $pids; rm -rf "$1"';

export type World = ReturnType<typeof createWorld>;

/** A folder for everything, with a home for each person; it goes, with what was `buried`, when this process ends. */
export function createWorld() {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nx-demo-')));
  const sh = spawn('sh', ['-c', undertaker, 'undertaker', folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const buried = new Promise((resolve) => sh.once('close', resolve));
  const mortals = new Set<number>();
  const tell = () => void sh.stdin.write(`${[...mortals].sort((a, b) => a - b).join(' ')}\n`);
  const people: Record<string, string>[] = [];
  const close = onClose(async () => {
    await Promise.all(people.map((env) => capture(bun, [cli, 'keeper', 'stop'], { cwd: folder, env })));
    sh.stdin.end();
    await buried;
  });

  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'nexus'), `#!/bin/sh\nexec '${bun}' '${cli}' "$@"\n`);
  chmodSync(join(bin, 'nexus'), 0o755);

  return {
    folder,
    close,
    /** Ends this process with the demo. */
    bury: (pid: number) => {
      mortals.add(pid);
      tell();
    },
    /** It has ended already; its number may be somebody else's soon. */
    unbury: (pid: number) => {
      mortals.delete(pid);
      tell();
    },
    /** The environment of somebody on a machine of their own: nothing of this user's configuration is read or written. */
    person: (name: string): Record<string, string> => {
      const home = join(folder, name.toLowerCase());
      const run = join(home, 'run');
      mkdirSync(run, { recursive: true, mode: 0o700 });
      const env = {
        PATH: `${bin}:${process.env['PATH'] ?? ''}`,
        HOME: home,
        LANG: 'C.UTF-8',
        NO_COLOR: '1',
        XDG_CONFIG_HOME: join(home, '.config'),
        XDG_STATE_HOME: join(home, '.local/state'),
        XDG_DATA_HOME: join(home, '.local/share'),
        XDG_CACHE_HOME: join(home, '.cache'),
        XDG_RUNTIME_DIR: run,
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_AUTHOR_NAME: name,
        GIT_AUTHOR_EMAIL: `${name.toLowerCase()}@example.org`,
        GIT_COMMITTER_NAME: name,
        GIT_COMMITTER_EMAIL: `${name.toLowerCase()}@example.org`,
      };
      people.push(env);
      return env;
    },
    cliArgs: (...args: string[]): [string, string[]] => [bun, [cli, ...args]],
  };
}

/** A server in a process of its own, with short leases so that waiting for one to end is bearable. */
export async function startServer(env: Record<string, string>): Promise<{ url: string; output: () => string; stop: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'nx-demo-server-'));
  const settings = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    PORT: '0',
    LOG_LEVEL: 'warn',
    NEXUS_DATA_DIR: join(folder, 'data'),
    LEASE_TTL_SECONDS: String(lease.ttl),
    GRACE_SECONDS: String(lease.grace),
    ...env,
  };
  const prefix = ['env', '-i', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)];
  const { output, stop } = onLeash({ command: bun, args: [join(root, 'apps/server/src/main.ts')], folder, signal: 'TERM', prefix });
  let url: string | undefined;
  const ready = () => (url = /Nexus is ready at (\S+)/.exec(output())?.[1]) !== undefined || output().includes('cannot start');
  await eventually(ready, 60_000);
  if (url !== undefined) return { url, output, stop };
  await stop();
  throw new Error(`The server did not start:\n${output()}`);
}

export type Seen = { seq: number; type: string; slug: string | undefined; reason: string | undefined; at: number };
type Line = { seq: number; type: string; epoch: string; feature: { slug: string } | null; data: { reason?: string } };

/** `nexus watch --jsonl` beside everything else; `at` is when this process read the line. */
export function startWatch(world: World, { cwd, env }: { cwd: string; env: Record<string, string> }) {
  const [command, args] = world.cliArgs('watch', '--jsonl', '--from-start');
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] });
  if (child.pid !== undefined) world.bury(child.pid);
  const seen: Seen[] = [];
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  createInterface({ input: child.stdout }).on('line', (text) => {
    const { seq, type, feature, data } = JSON.parse(text) as Line;
    seen.push({ seq, type, slug: feature?.slug, reason: data.reason, at: Date.now() });
  });
  return {
    seen,
    /** The first such event after those seen before this call, waited for. */
    next: async (like: (event: Seen) => boolean, ms: number): Promise<Seen | undefined> => {
      const known = seen.length;
      await eventually(() => seen.slice(known).some(like), ms);
      return seen.slice(known).find(like);
    },
    /** Until everything up to this event has come. */
    upTo: (seq: number, ms: number) => eventually(() => (seen.at(-1)?.seq ?? 0) >= seq, ms),
    stop: async () => {
      child.kill('SIGINT');
      const code = await ended;
      if (child.pid !== undefined) world.unbury(child.pid);
      return code;
    },
  };
}
