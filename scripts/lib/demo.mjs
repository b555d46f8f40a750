import { capture } from './programs.mjs';
import { root } from './root.mjs';

/** Runs `bun run demo` on one engine set, the team one where `engines` says; its output is shown only when it fails. */
export async function runDemo(bun, env, engines) {
  const set = engines ? 'team' : 'embedded';
  const { code, output } = await capture(bun, ['--no-orphans', 'run', 'demo', '--engines', set], {
    cwd: root,
    env: { ...env, ...engines },
  });
  if (code !== 0) console.log(output.trim());
  return code === 0;
}
