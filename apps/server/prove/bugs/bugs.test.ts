import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'bun:test';
import { bugs } from './bugs.ts';

const root = join(import.meta.dir, '../../../..');

for (const { name, edits } of bugs) {
  test(`its place is there, once: ${name}`, () => {
    for (const { file, find } of edits) expect(readFileSync(join(root, file), 'utf8').split(find)).toHaveLength(2);
  });
}
