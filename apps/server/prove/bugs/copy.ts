import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bug } from './bugs.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const copied = ['package.json', 'tsconfig.json', 'tsconfig.base.json', 'drizzle', 'scripts', 'packages', 'apps/server'];
const shared = ['node_modules', '.cache'];

/** The source once more, in a folder of its own, in which bugs are planted: no bug has a switch in the product. */
export function copySource() {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-bugs-'));
  // Links to workspace packages are relative: in the copy they lead to the copy.
  for (const name of copied) cpSync(join(root, name), join(folder, name), { recursive: true, verbatimSymlinks: true });
  for (const name of shared) symlinkSync(join(root, name), join(folder, name));
  return {
    main: join(folder, 'apps/server/prove/main.ts'),
    /** Answers the function that takes it out again. Throws when the place of the bug is not there, or there twice. */
    plant({ name, edits }: Bug): () => void {
      const before = new Map(edits.map(({ file }) => [file, readFileSync(join(folder, file), 'utf8')]));
      for (const { file, find, replace } of edits) {
        const parts = readFileSync(join(folder, file), 'utf8').split(find);
        if (parts.length !== 2) throw new Error(`"${name}" has no place any more in ${file}: change it in apps/server/prove/bugs/bugs.ts.`);
        writeFileSync(join(folder, file), parts.join(replace));
      }
      return () => before.forEach((text, file) => writeFileSync(join(folder, file), text));
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
