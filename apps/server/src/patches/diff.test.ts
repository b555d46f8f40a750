import { expect, test } from 'bun:test';
import { AppError } from '../platform/errors.ts';
import { readDiff } from './diff.ts';

const [OLD, NEW, NONE] = ['1'.repeat(40), '2'.repeat(40), '0'.repeat(40)];
const changed = (path: string, body = '@@ -1,2 +1,2 @@ head\n one\n-two\n+three\n') =>
  `diff --git a/${path} b/${path}\nindex ${OLD}..${NEW} 100644\n--- a/${path}\n+++ b/${path}\n${body}`;
function refused(diff: string): string {
  try {
    readDiff(diff);
  } catch (error) {
    if (error instanceof AppError && error.code === 'VALIDATION_ERROR') return error.message;
    throw error;
  }
  throw new Error('not refused');
}

test('every file is found with its blobs: changed, new, gone, empty, of another mode, without a last newline', () => {
  const diff = [
    changed('src/a b.ts').replace('+++ b/src/a b.ts', '+++ b/src/a b.ts\t'),
    changed(
      'é/x.ts',
      '@@ -1 +1,2 @@\n-one\n\\ No newline at end of file\n+two\n+three\n\\ No newline at end of file\n@@ -9,0 +10 @@\n+end\n',
    ),
    `diff --git a/new.ts b/new.ts\nnew file mode 100644\nindex ${NONE}..${NEW}\n--- /dev/null\n+++ b/new.ts\n@@ -0,0 +1 @@\n+new\n`,
    `diff --git a/gone.ts b/gone.ts\ndeleted file mode 100755\nindex ${OLD}..${NONE}\n--- a/gone.ts\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n`,
    `diff --git a/empty.ts b/empty.ts\nnew file mode 100644\nindex ${NONE}..${NEW}\n`,
    `diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n`,
  ].join('');
  expect(readDiff(diff)).toEqual([
    { path: 'src/a b.ts', before: OLD, after: NEW },
    { path: 'é/x.ts', before: OLD, after: NEW },
    { path: 'new.ts', before: null, after: NEW },
    { path: 'gone.ts', before: OLD, after: null },
    { path: 'empty.ts', before: null, after: NEW },
    { path: 'run.sh', before: null, after: null },
  ]);
});

test('lines of the change that look like heads are lines of the change', () => {
  expect(readDiff(changed('a', '@@ -1 +1,2 @@\n--- a/b\n+++ b/b\n+diff --git a/c b/c\n'))).toHaveLength(1);
});

test.each([
  ['', 'expected'],
  ['x', 'expected'],
  [`from\n${changed('a')}`, 'line 1'],
  ['diff --git a/a b/b\n', 'no rename'],
  ['diff --git "a/\\303" "b/\\303"\n', 'no quotes'],
  ['diff --git a/a b/a\n', 'nothing changes'],
  [changed('a', ''), 'nothing changes'],
  [changed('a').replace(/index .*\n/, ''), '--full-index'],
  [changed('a').replace(/index .*/, 'index 1234567..89abcde 100644'), 'line 2'],
  [changed('a').replace('100644', '120000'), 'no regular file'],
  [changed('a').replace('100644', '160000'), 'no regular file'],
  [changed('a').replace('--- a/a', '--- a/b'), 'expected "--- a/a"'],
  [changed('a').replace('+++ b/a', '+++ b/../b'), 'expected "+++ b/a"'],
  [`diff --git a/a b/a\nindex ${OLD}..${NEW} 100644\nBinary files a/a and b/a differ\n`, 'binary'],
  [`diff --git a/a b/a\nindex ${OLD}..${NEW}\nGIT binary patch\nliteral 1\nIcmZ\n`, 'binary'],
  [`diff --git a/a b/a\nsimilarity index 90%\nrename from a\nrename to b\n`, 'line 2'],
  [changed('a') + changed('a'), 'twice'],
  // What git would take for a second file, and we for nothing.
  [`${changed('a')}--- a/b\n+++ b/b\n@@ -1 +1 @@\n-x\n+y\n`, 'no line of a diff'],
  [changed('a', '@@ -1,3 +1,2 @@\n one\n-two\n+three\n'), 'shorter'],
  [changed('a', '@@ -1 +1,2 @@\n one\n-two\n+three\n'), 'longer'],
  [changed('a', '@@ -1,2 +1 @@\n one\n+two\n-x\n'), 'longer'],
  [`${changed('a')}\n`, 'no line of a diff'],
])('%j is refused: %s', (diff, why) => expect(refused(diff)).toContain(why));
