import { checkArrows } from './lib/arrows.mjs';
import { capture } from './lib/programs.mjs';
import { ready, withBun } from './lib/run.mjs';
import { root } from './lib/root.mjs';

// `bun run check [name…]`: one line for each check, its output only when it fails.
const bun = await ready();
const tool = (file, ...args) => capture(bun, ['--bun', `node_modules/${file}`, ...args], { cwd: root, env: withBun(bun) });

const checks = {
  format: () => tool('oxfmt/bin/oxfmt', '--check', '.'),
  lint: () => tool('oxlint/bin/oxlint', '--type-aware', '--deny-warnings', '--report-unused-disable-directives'),
  types: () => tool('typescript/bin/tsc', '-p', 'tsconfig.json'),
  arrows: () => checkArrows(bun),
  dead: () => tool('knip/bin/knip.js', '--no-config-hints', '--no-progress'),
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in checks));
if (unknown.length > 0) {
  console.error(`No check named ${unknown.join(', ')}; there are: ${Object.keys(checks).join(', ')}.`);
  process.exit(2);
}

const results = await Promise.all(
  Object.entries(checks)
    .filter(([name]) => asked.length === 0 || asked.includes(name))
    .map(async ([name, check]) => {
      const started = Date.now();
      const { code, output } = await check();
      const line = `${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(8)} ${((Date.now() - started) / 1000).toFixed(1)} s`;
      console.log(code === 0 ? line : `${line}\n${output.trim()}\n`);
      return code;
    }),
);
process.exit(results.every((code) => code === 0) ? 0 : 1);
