import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../packages/client/src/index.ts';
import { type Checkout, type Done, makeCheckout, program } from '../../apps/cli/test/lib/checkout.ts';
import type { Model } from './model.ts';

export type Terminal = {
  pid: number;
  /** Resolves with what Claude Code printed. */
  ended: Promise<{ code: number; out: string; err: string }>;
  kill: (signal: NodeJS.Signals) => void;
};

export type Desk = Checkout & {
  /** Starts the real Claude Code, headless, in the checkout or `cwd`. */
  claude: (prompt: string, options?: { args?: string[]; cwd?: string }) => Terminal;
  /** Its own commands, such as `plugin validate`. */
  manage: (...args: string[]) => Promise<Done>;
  /** What Claude Code sent to its hooks, in the order of their files. */
  payloads: () => Record<string, unknown>[];
  leave: () => Promise<void>;
};

type Needs = { binary: string; model: Model; server: string; projectId: string; engineer: Client };

/** One engineer's machine: a home, a login, a linked repository, and nothing of the real machine's settings. No hooks yet. */
export async function makeDesk(needs: Needs): Promise<Desk> {
  const checkout = await makeCheckout();
  const { NEXUS_NO_KEEPER: _kept, ...env } = checkout.env;
  const log = join(checkout.dir, '..', 'payloads');
  mkdirSync(log);
  // Between Claude Code and the hook: keeps what came on stdin.
  const bin = join(checkout.dir, '..', 'bin');
  const real = readFileSync(join(bin, 'nexus'), 'utf8');
  program(join(bin, 'nexus-itself'), real);
  program(
    join(bin, 'nexus'),
    `#!/bin/sh\n[ "$1" = hook ] || exec "${join(bin, 'nexus-itself')}" "$@"\nfile="${log}/$(date +%s%N)-$$.json"\ncat >"$file"\nexec "${join(bin, 'nexus-itself')}" "$@" <"$file"\n`,
  );
  const run: Checkout['run'] = (command, args, options = {}) =>
    checkout.run(command, args, { ...options, env: { NEXUS_NO_KEEPER: '', ...options.env } });
  const nexus: Checkout['nexus'] = (...args) => run('nexus', args);
  await run('nexus', ['login', '--server', needs.server, '--token', '-'], { stdin: needs.engineer.options.apiKey ?? '' });
  checkout.write('.nexus.json', JSON.stringify({ server: needs.server, projectId: needs.projectId, slug: 'p' }));
  checkout.write('README.md', 'A repository.\n');
  await checkout.git('add', '-A');
  await checkout.git('commit', '-q', '-m', 'start');

  const quiet = {
    DISABLE_TELEMETRY: '1',
    DISABLE_AUTOUPDATER: '1',
    DISABLE_ERROR_REPORTING: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  };
  return {
    ...checkout,
    run,
    nexus,
    manage: (...args) => run(needs.binary, args, { env: quiet }),
    claude: (prompt, { args = [], cwd = checkout.dir } = {}) => {
      const child = Bun.spawn(
        [needs.binary, '-p', prompt, '--output-format', 'json', '--permission-mode', 'acceptEdits', '--allowedTools', 'Bash', ...args],
        {
          cwd,
          env: {
            ...env,
            ...quiet,
            ANTHROPIC_BASE_URL: needs.model.url,
            ANTHROPIC_API_KEY: 'dummy-key',
          },
          stdin: 'ignore',
          stdout: 'pipe',
          stderr: 'pipe',
        },
      );
      const ended = Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()]).then(
        ([code, out, err]) => ({ code, out, err }),
      );
      return { pid: child.pid, ended, kill: (signal) => child.kill(signal) };
    },
    payloads: () =>
      readdirSync(log)
        .sort()
        .map((name) => JSON.parse(readFileSync(join(log, name), 'utf8')) as Record<string, unknown>),
    leave: async () => {
      await nexus('keeper', 'stop');
      checkout.remove();
    },
  };
}
