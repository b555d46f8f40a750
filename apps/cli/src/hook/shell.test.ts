import { afterAll, beforeAll, expect, test } from 'bun:test';
import fc from 'fast-check';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makePlace, type Place } from '../testing/io.ts';
import { parseShell } from './shell.ts';

let place: Place;
beforeAll(() => {
  place = makePlace();
  for (const dir of ['.git', 'src', 'packages/a', 'docs']) mkdirSync(join(place.dir, dir), { recursive: true });
  for (const file of ['package.json', 'bun.lock', 'a.txt', 'packages/a/package.json', 'src/x.ts']) writeFileSync(join(place.dir, file), '');
});
afterAll(() => place.remove());

const writes = (command: string) => {
  const { paths, sweeping, unclear } = parseShell(command, place.dir);
  return {
    paths: paths.map((path) => (path.startsWith(`${place.dir}/`) ? path.slice(place.dir.length + 1) : path)),
    sweeps: sweeping.map((one) => one.command),
    unclear,
  };
};

const cases: [command: string, paths: string[], more?: { unclear?: true; sweeps?: string[] }][] = [
  ['ls -la && cat a.txt | grep x', []],
  ['echo hi > out.txt', ['out.txt']],
  ['echo hi >> "my file.txt"', ['my file.txt']],
  ['echo hi>src/x.ts 2>/dev/null', ['src/x.ts']],
  ['make 2>&1 | tee -a log.txt', ['log.txt'], { unclear: true }],
  ['cat > a.txt <<EOF\nx > not-me\nEOF\necho y > b.txt', ['a.txt', 'b.txt']],
  ["cat <<-'END' >| c.txt\n\tbody\n\tEND\nls", ['c.txt']],
  ["sed -i 's/a/b/' a.txt src/x.ts", ['a.txt', 'src/x.ts']],
  ["sed -i.bak -e 's/a/b/' a.txt", ['a.txt']],
  ["sed -i '' 's/a/b/' a.txt", ['a.txt']],
  ["sed -n '1,5p' a.txt", []],
  ["perl -pi -e 's/a/b/' a.txt", ['a.txt']],
  ['mv a.txt b.txt', ['a.txt', 'b.txt']],
  ['mv a.txt src', ['a.txt', 'src/a.txt']],
  ['mv -t src a.txt b.txt', ['a.txt', 'b.txt', 'src/a.txt', 'src/b.txt']],
  ['cp a.txt docs/', ['docs/a.txt']],
  ['cp a.txt b.txt', ['b.txt']],
  ['rm -rf src docs/x', ['src', 'docs/x']],
  ['touch -d yesterday n.txt; truncate -s 0 a.txt', ['n.txt', 'a.txt']],
  ['cd src && rm x.ts', ['src/x.ts']],
  ['cd "$HOME" && rm x.ts', [], { unclear: true }],
  ['rm src/*.ts', [], { unclear: true }],
  ['FOO=1 sudo rm a.txt', ['a.txt']],
  ['if true; then rm a.txt; fi', ['a.txt']],
  ['(cd src; echo > y.ts)', ['src/y.ts']],
  ['node build.js', [], { unclear: true }],
  ['echo $(rm a.txt) > $OUT', [], { unclear: true }],
  [
    "apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: src/x.ts\n*** Move to: src/y.ts\n*** Add File: n.ts\nEOF",
    ['src/x.ts', 'src/y.ts', 'n.ts'],
  ],
  ['git mv a.txt b.txt', ['a.txt', 'b.txt']],
  ['git rm src/x.ts', ['src/x.ts']],
  ['git rm --cached src/x.ts', []],
  ['git checkout -- a.txt', ['a.txt']],
  ['git checkout HEAD~1 -- a.txt', ['a.txt']],
  ['git checkout a.txt', ['a.txt']],
  ['git restore --source HEAD~1 a.txt', ['a.txt']],
  ['git restore --staged a.txt', []],
  ['git -C src checkout -- x.ts', ['src/x.ts']],
  ['git status && git diff && git log -p', []],
  ['git commit -m "all > of it"', []],
  ['git add a.txt', []],
  ['git reset HEAD a.txt', []],
  ['git checkout -b topic', []],
  ['git switch -c topic', []],
  ['git stash list', []],
  ['git stash push -- a.txt', ['a.txt']],
  ['git clean -n', []],
  ['npm install left-pad', ['package.json', 'package-lock.json'], { unclear: true }],
  ['cd packages/a && bun add left-pad', ['packages/a/package.json', 'bun.lock'], { unclear: true }],
  ['npm ci', [], { unclear: true }],
  ...[
    'git reset --hard',
    'git reset --hard HEAD~1',
    'git checkout main',
    'git checkout .',
    'git switch main',
    'git restore .',
    'git stash',
    'git stash pop',
    'git clean -fd',
    'git rebase main',
    'git pull --rebase',
    'git merge topic',
    'git checkout -b topic origin/main',
  ].map((command): [string, string[], { unclear: true; sweeps: string[] }] => [command, [], { unclear: true, sweeps: [command] }]),
  ['git add -A', [], { unclear: true, sweeps: ['git add -A'] }],
  ['git add .', [], { sweeps: ['git add .'] }],
  ['git add -u', [], { unclear: true, sweeps: ['git add -u'] }],
  ['git commit -a -m x', [], { unclear: true, sweeps: ['git commit -a -m x'] }],
  ['git commit -am x', [], { unclear: true, sweeps: ['git commit -am x'] }],
  ['git commit --amend --no-edit', []],
];

for (const [command, paths, { unclear = false, sweeps = [] } = {}] of cases)
  test(`shell: ${JSON.stringify(command)}`, () => expect(writes(command)).toEqual({ paths, sweeps, unclear }));

test('any text is read without an end or an error', () => {
  const pieces = fc.array(
    fc.constantFrom('>', '>>', '<<', 'EOF', "'", '"', '\\', '$(', ')', '`', '\n', ';', 'git', 'rm', 'sed', '-i', ' ', '${', '&', '#'),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        pieces.map((parts) => parts.join(' ')),
        pieces.map((parts) => parts.join('')),
      ),
      (text) => {
        expect(Array.isArray(parseShell(text, '/nowhere').paths)).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});
