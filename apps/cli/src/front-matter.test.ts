import { describe, expect, test } from 'bun:test';
import { parseSpecFile } from './front-matter.ts';

const file = (head: string, body = 'Do it.'): string => `---\n${head}\n---\n\n${body}\n`;

describe('a spec file', () => {
  test('gives its fields and the text below them', () => {
    expect(parseSpecFile(file('title: Login\nslug: login\nlane: now\npriority: 2\ndependsOn: [db]'), 'f')).toEqual({
      title: 'Login',
      slug: 'login',
      lane: 'now',
      priority: 2,
      dependsOn: ['db'],
      spec: 'Do it.',
    });
  });

  for (const [name, touches] of [
    ['YAML list', 'touches:\n  - src/a.ts\n  - ro:docs/'],
    ['YAML flow list without quotes', 'touches: [src/a.ts, "ro:docs/"]'],
    ['JSON list', 'touches: ["src/a.ts", "ro:docs/"]'],
  ] as const) {
    test(`may write touches as a ${name}`, () => {
      expect(parseSpecFile(file(touches), 'f').touches).toEqual(['src/a.ts', 'ro:docs/']);
    });
  }

  test('may have no front matter, Windows line ends or a byte order mark', () => {
    expect(parseSpecFile('Only text\n', 'f')).toEqual({ spec: 'Only text' });
    expect(parseSpecFile('\uFEFF---\r\ntitle: A\r\n---\r\nText', 'f')).toEqual({ title: 'A', spec: 'Text' });
  });

  test('keeps a line of dashes in the text', () => {
    expect(parseSpecFile(file('title: A', 'one\n\n---\n\ntwo'), 'f').spec).toBe('one\n\n---\n\ntwo');
  });

  for (const [name, head, says] of [
    ['an unknown key', 'title: A\ntouchs: [a]', /unknown front matter key "touchs".*Known: title, slug/],
    ['touches that are no list', 'touches: src/a.ts', /"touches" must be a list of paths/],
    ['touches that are empty', 'touches:', /"touches" must be a list of paths/],
    ['a touch that is no path', 'touches: [1]', /"touches\.0" must be/],
    ['an unknown lane', 'lane: soon', /"lane" must be one of now, next, later, icebox/],
    ['a key given twice', 'title: A\ntitle: B', /line 3: the front matter is not valid YAML/],
    ['broken YAML', 'touches: [src/a.ts', /not valid YAML/],
    ['no mapping', '- a', /must be "key: value" lines/],
  ] as const) {
    test(`is refused, naming the mistake, for ${name}`, () => {
      expect(() => parseSpecFile(file(head), 'spec.md')).toThrow(says);
      expect(() => parseSpecFile(file(head), 'spec.md')).toThrow(/^spec\.md:/);
    });
  }

  test('is refused when its front matter does not end', () => {
    expect(() => parseSpecFile('---\ntitle: A\n', 'f')).toThrow(/no closing ---/);
  });
});
