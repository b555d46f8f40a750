import type { Lane } from '@nexus/contract';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Context } from '../context.ts';
import { CliError, interrupted, usage } from '../errors.ts';
import { readText } from '../files.ts';
import { parseSpecFile, type SpecFile } from '../front-matter.ts';

/** What the options of create and edit say. */
export type FeatureFields = {
  title?: string;
  spec?: string;
  lane?: Lane;
  priority?: number;
  touches?: string[];
  dependsOn?: string[];
  from?: string;
};

const template = `---
title: 
# slug: login-form          (default: made from the title)
lane: next
touches: []
# touches:
#   - src/auth/             a tree
#   - "src/**/*.test.ts"    a pattern
#   - ro:docs/api.md        only read
dependsOn: []
---

What to do, and how to know that it is done.
`;

/** The spec file that the options name; without any, the editor's where people can be asked. */
export async function readSpec(context: Context, options: FeatureFields, editing: string | undefined): Promise<Partial<SpecFile>> {
  if (options.from === '-') return parseSpecFile(await context.io.stdin.read(), 'stdin');
  if (options.from !== undefined) {
    const text = readText(resolve(context.cwd, options.from));
    if (text === undefined) throw usage(`--from ${options.from}: there is no such file.`);
    return parseSpecFile(text, options.from);
  }
  const told = editing !== undefined || options.title !== undefined;
  if (told) return {};
  if (!context.interactive) throw usage('Without a terminal, name the feature: --title <text> (and --spec, --touches), or --from <file>.');
  return parseSpecFile(await edited(context, template), 'the template');
}

async function edited({ io }: Context, text: string): Promise<string> {
  const editor = io.env['VISUAL'] || io.env['EDITOR'];
  if (!editor) throw usage('Set $EDITOR, or give --title or --from <file>.');
  const dir = mkdtempSync(join(tmpdir(), 'nexus-'));
  const path = join(dir, 'feature.md');
  try {
    writeFileSync(path, text);
    // $EDITOR may hold arguments ("code --wait"): by convention the shell splits it.
    const code = await new Promise<number | null>((done, fail) => {
      spawn('sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit' })
        .on('error', fail)
        .on('close', done);
    });
    if (code !== 0) throw new CliError('failure', 'FAILURE', `The editor ended with ${code}; nothing was created.`);
    const result = readFileSync(path, 'utf8');
    if (result === text) throw interrupted();
    return result;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
