import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { capture } from './programs.mjs';
import { root } from './root.mjs';

/** Checks who imports whom under apps/ and packages/ of `at`. Answers `{ code, output, fired }`, `fired` naming the broken rules. */
export async function checkArrows(bun, at = root) {
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const config = join(root, '.dependency-cruiser.mjs');
  // `--bun`: the tool refuses Node 20.
  const args = ['--bun', program, '--config', config, '--output-type', 'json', 'apps', 'packages'];
  const { code, output, stdout } = await capture(bun, args, { cwd: at });
  let cruise;
  try {
    cruise = JSON.parse(stdout);
  } catch {
    return { code: code || 1, output, fired: [] };
  }
  const broken = cruise.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
  const unseen = unseenFiles(cruise.modules, at).map((file) => `not seen, or its imports were not: ${file}`);
  return {
    code: broken.length + unseen.length > 0 ? 1 : 0,
    output: [...broken, ...unseen].join('\n'),
    fired: [...new Set(cruise.summary.violations.map(({ rule }) => rule.name))],
  };
}

/** A cruiser that cannot read TypeScript sees nothing and reports success, so every source file must appear with its imports. */
export function unseenFiles(modules, at) {
  const seen = new Map(modules.map((module) => [module.source, module.dependencies.length]));
  return sourceFiles(at).filter((file) => {
    const imports = /^(import|export)\b[^;'"]*\bfrom ['"]/m.test(readFileSync(join(at, file), 'utf8'));
    return !seen.has(file) || (imports && seen.get(file) === 0);
  });
}

function sourceFiles(at) {
  const skipped = new Set(['node_modules', 'dist', '.cache']);
  const walk = (folder) =>
    readdirSync(join(at, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : walk(path);
      return /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : [];
    });
  return ['apps', 'packages'].flatMap(walk);
}
