import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Claim, ClaimInput, PathCase } from './claim.ts';
import { formatClaim, parseClaim, parseClaims } from './parse.ts';
import { anyPath, normaliserSuite } from './parse.suite.ts';
import { pathErrorCodes, type PathErrorCode } from './refusals.ts';
import { runOf } from './testing/outcome.ts';

function claimOf(input: string | ClaimInput, pathCase: PathCase = 'insensitive'): Claim {
  const parsed = parseClaim(input, { pathCase });
  if (!parsed.ok) throw new Error(`${parsed.code}: ${parsed.message}`);
  return parsed.claim;
}

function codeOf(input: string | ClaimInput): PathErrorCode | undefined {
  const parsed = parseClaims(input);
  return parsed.ok ? undefined : parsed.code;
}

describe('spellings of one path have one node', () => {
  const same: Record<string, { kind: 'file' | 'tree'; spellings: string[] }> = {
    '/src/a.ts': {
      kind: 'file',
      spellings: [
        'src/a.ts',
        './src/a.ts',
        'src//a.ts',
        'src/b/../a.ts',
        'src\\a.ts',
        'SRC/A.TS',
        'src/a.ts.',
        'src/a.ts ',
        'src ./a.ts. .',
      ],
    },
    '/src': {
      kind: 'tree',
      spellings: ['src/', 'src/**', 'src/**/*', 'src/.', 'src/**/**', 'src/**/', 'src/b/..', 'src\\**\\*', 'src/**/*/**'],
    },
    '/é': { kind: 'file', spellings: ['\u00e9', 'e\u0301', '\u00c9', 'E\u0301', 'e\u200d\u0301'] },
    '': { kind: 'tree', spellings: ['.', './', '**', '**/*', './**', 'src/..', '.\\'] },
    '/strasse': { kind: 'file', spellings: ['straße', 'STRASSE', 'STRAẞE', 'ſtrasse', 'stra\u200csse'] },
    '/σοφός': { kind: 'file', spellings: ['σοφός', 'ΣΟΦΌΣ', 'σοφόσ', 'ΣΟΦΌΣ.'] },
    '/k': { kind: 'file', spellings: ['k', 'K', '\u212a', '\ufeffk'] },
  };
  for (const [node, { kind, spellings }] of Object.entries(same))
    test.each(spellings)(`%j is the ${kind} ${JSON.stringify(node)}`, (spelling) => {
      expect(claimOf(spelling)).toMatchObject({ node, kind, mode: 'write' });
    });

  test('a case-sensitive project tells case apart, and still joins what file systems join without it', () => {
    expect(claimOf('SRC/A.ts', 'sensitive').node).toBe('/SRC/A.ts');
    expect(claimOf('e\u200d\u0301. ', 'sensitive').node).toBe('/\u00e9');
  });
});

describe('what a path is refused for', () => {
  const cases: [string | ClaimInput, PathErrorCode][] = [
    ['', 'PATH_EMPTY'],
    ['ro:', 'PATH_EMPTY'],
    ['a\ud800b', 'PATH_ENCODING'],
    ['\udc00/\ud800', 'PATH_ENCODING'],
    ['a\u0000b', 'PATH_CONTROL'],
    ['a\n', 'PATH_CONTROL'],
    ['a\u007f', 'PATH_CONTROL'],
    ['/etc/passwd', 'PATH_ABSOLUTE'],
    ['\\src', 'PATH_ABSOLUTE'],
    ['\\\\server\\share', 'PATH_ABSOLUTE'],
    ['C:\\src', 'PATH_ABSOLUTE'],
    ['c:src', 'PATH_ABSOLUTE'],
    ['~/src', 'PATH_ABSOLUTE'],
    ['~root', 'PATH_ABSOLUTE'],
    ['ro:/etc', 'PATH_ABSOLUTE'],
    ['..', 'PATH_ESCAPES'],
    ['src/../../x', 'PATH_ESCAPES'],
    ['src\\..\\..', 'PATH_ESCAPES'],
    ['src/*/../x', 'PATH_ESCAPES'],
    ['src/**/a/..', 'PATH_ESCAPES'],
    ['.git', 'PATH_GITDIR'],
    ['.git/config', 'PATH_GITDIR'],
    ['vendor/lib/.GIT/hooks', 'PATH_GITDIR'],
    ['.g\u200cit/config', 'PATH_GITDIR'],
    ['.git. /config', 'PATH_GITDIR'],
    ['.git/**', 'PATH_GITDIR'],
    ['git~1', 'PATH_GITDIR'],
    ['GIT~12/x', 'PATH_GITDIR'],
    ['a/.../b', 'PATH_EMPTY_SEGMENT'],
    ['a/ ', 'PATH_EMPTY_SEGMENT'],
    ['.\u200d.', 'PATH_EMPTY_SEGMENT'],
    ['a/\ufeff', 'PATH_EMPTY_SEGMENT'],
    [Array.from({ length: 65 }, () => 'a').join('/'), 'PATH_TOO_LONG'],
    ['a'.repeat(256), 'PATH_TOO_LONG'],
    ['é'.repeat(128), 'PATH_TOO_LONG'],
    [Array.from({ length: 5 }, () => 'a'.repeat(205)).join('/'), 'PATH_TOO_LONG'],
    ['./'.repeat(2049), 'PATH_TOO_LONG'],
    [`src/*${'a'.repeat(250)}/b.ts`, 'PATH_GLOB_TOO_COMPLEX'],
    [{ path: 'a{b,c}'.repeat(6), kind: 'glob' }, 'PATH_GLOB_TOO_COMPLEX'],
    [{ path: 'src/{a,..}/../../x', kind: 'glob' }, 'PATH_ESCAPES'],
    [{ path: '{'.repeat(5_000), kind: 'glob' }, 'PATH_TOO_LONG'],
    ['res:', 'PATH_RESOURCE'],
    ['res:port/', 'PATH_RESOURCE'],
    ['res:port/*', 'PATH_RESOURCE'],
    ['ro:res:port//5432', 'PATH_RESOURCE'],
    ['res:../x', 'PATH_RESOURCE'],
    ['res:port/5432@', 'PATH_RESOURCE'],
    ['res:port@a/5432', 'PATH_RESOURCE'],
    ['res:a:b', 'PATH_RESOURCE'],
    ['res:grün', 'PATH_RESOURCE'],
    ['res:a/b/c/d/e/f/g/h/i', 'PATH_RESOURCE'],
    [`res:${'a'.repeat(200)}`, 'PATH_RESOURCE'],
    [{ path: 'res:port', kind: 'tree' }, 'PATH_RESOURCE'],
    [{ path: 'src/a.ts', kind: 'resource' }, 'PATH_RESOURCE'],
    [{ path: 'res:{a,b?}', kind: 'glob' }, 'PATH_RESOURCE'],
  ];

  test.each(cases)('%j is refused as %s', (input, code) => expect(codeOf(input)).toBe(code));

  test('every code has a case, and its message is short sentences that end in advice', () => {
    expect(new Set(cases.map(([, code]) => code))).toEqual(new Set(pathErrorCodes));
    for (const [input] of cases) {
      const parsed = parseClaims(input);
      if (parsed.ok) throw new Error('not refused');
      expect(parsed.message).toMatch(/\. (?:\p{Lu}.*[.])$/u);
      expect(parsed.message.length).toBeLessThan(1000);
    }
  });

  test('the first rule that a path breaks names the refusal', () => {
    expect(codeOf('/\ud800\u0000')).toBe('PATH_ENCODING');
    expect(codeOf('/a\u0000')).toBe('PATH_CONTROL');
    expect(codeOf('/../.git')).toBe('PATH_ABSOLUTE');
    expect(codeOf('../.git/*')).toBe('PATH_ESCAPES');
    expect(codeOf(`.git/${'a'.repeat(256)}`)).toBe('PATH_GITDIR');
  });

  test.each([
    'app/[id]/page.tsx',
    '(group)/layout.tsx',
    '{{cookiecutter.slug}}/setup.py',
    '.github/workflows/ci.yml',
    '.gitignore',
    'a.git/x',
    'git~',
    'git~a',
    'git~1a',
    'a/~b',
    'a/c:d',
    'src/a..b',
    'res/x',
    Array.from({ length: 64 }, () => 'a').join('/'),
    'a'.repeat(255),
    [...Array.from({ length: 4 }, () => 'a'.repeat(204)), 'a'.repeat(204)].join('/'),
  ])('%j is an ordinary file', (path) => {
    expect(claimOf(path)).toEqual({ kind: 'file', mode: 'write', node: `/${path}`, display: path });
  });
});

describe('patterns', () => {
  const globs: Array<[string | ClaimInput, string, string]> = [
    ['*', '/*', '*'],
    ['src/*', '/src/*', 'src/*'],
    ['Src//./A*.TS', '/src/a*.ts', 'Src/A*.TS'],
    ['src/a?.ts', '/src/a?.ts', 'src/a?.ts'],
    ['src\\**\\*.ts', '/src/**/*.ts', 'src/**/*.ts'],
    ['**/**/a', '/**/a', '**/a'],
    ['src/**/a/**', '/src/**/a/**', 'src/**/a/**'],
    ['src/*/**', '/src/*/**', 'src/*/**'],
    ['src/*/', '/src/*/**', 'src/*/**'],
    ['src/*/.', '/src/*/**', 'src/*/**'],
    ['src/*/**/*', '/src/*/**/*', 'src/*/**/*'],
    ['src/**/*/*', '/src/**/*/*', 'src/**/*/*'],
    ['src/***', '/src/*', 'src/*'],
    ['src**', '/src*', 'src*'],
    ['a***b*', '/a*b*', 'a*b*'],
    ['a*. ', '/a*', 'a*. '],
    ['app/[id]/*.{ts,tsx}', '/app/[id]/*.{ts,tsx}', 'app/[id]/*.{ts,tsx}'],
    ['./~*', '/~*', './~*'],
    ['E\u0301*', '/é*', 'É*'],
    ['ΣΟΦΌΣ*', '/?οφό?*', 'ΣΟΦΌΣ*'],
    [{ path: 'src/*', kind: 'tree' }, '/src/*/**', 'src/*/**'],
    [{ path: 'src/*', kind: 'file' }, '/src/*', 'src/*'],
  ];
  test.each(globs)('%j is the glob %j, shown as %j', (input, node, display) => {
    const claim = claimOf(input);
    expect(claim).toEqual({ kind: 'glob', mode: 'write', node, display });
    expect(claimOf(display)).toEqual(claim);
  });

  test.each([
    ['src/{a,b}/*.ts', ['src/a/*.ts', 'src/b/*.ts']],
    ['{a,b}{c,d}', ['ac', 'ad', 'bc', 'bd']],
    ['a{b,c{d,e}}f', ['abf', 'acdf', 'acef']],
    ['src/{,x/}*.ts', ['src/*.ts', 'src/x/*.ts']],
    ['ro:{a,b}/', ['ro:a/', 'ro:b/']],
    ['a{b}c{', ['a{b}c{']],
    ['{a,b', ['{a,b']],
    ['{{x}}/a.py', ['{{x}}/a.py']],
    ['file[0-9].txt', ['file?.txt']],
    ['[!a]/[]x]/[^]]', ['?/?/?']],
    ['a[b/c]d', ['a[b/c]d']],
    ['src/a.ts', ['src/a.ts']],
    ['{a,a}', ['a']],
    ['{a,b}{c,d}{e,f}{g,h}{i,j}', expect.any(Array)],
  ])('the explicit glob %j stands for %j', (path, shown) => {
    const parsed = parseClaims({ path, kind: 'glob' });
    expect(parsed.ok && parsed.claims.map(formatClaim)).toEqual(shown);
  });

  test('braces and classes are ordinary characters without it', () => {
    expect(claimOf('src/{a,b}.ts')).toMatchObject({ kind: 'file', node: '/src/{a,b}.ts' });
    expect(claimOf('src/[ab].ts')).toMatchObject({ kind: 'file', node: '/src/[ab].ts' });
  });
});

describe('what the user reads', () => {
  test.each([
    ['./Src\\A.ts. ', 'Src/A.ts. '],
    ['E\u0301/**', '\u00c9/'],
    ['ro:Docs//', 'ro:Docs/'],
    ['ro:ro:docs', 'ro:docs'],
    ['x/..', '.'],
    ['ro:**', 'ro:.'],
    ['./~$report.docx', './~$report.docx'],
    ['a/../c:b', './c:b'],
    ['./ro:notes', './ro:notes'],
    ['ro:./res:x', 'ro:./res:x'],
  ])('%j is shown as %j', (input, shown) => {
    expect(formatClaim(claimOf(input))).toBe(shown);
    expect(claimOf(shown)).toEqual(claimOf(input));
  });
});

describe('the object form', () => {
  test('kind and mode say what the spelling leaves open', () => {
    expect(claimOf({ path: 'Src', kind: 'tree', mode: 'read' })).toEqual({ kind: 'tree', mode: 'read', node: '/src', display: 'Src/' });
    expect(claimOf({ path: 'Src' })).toEqual(claimOf('Src'));
  });

  test('where input says two things, the stronger claim holds', () => {
    expect(claimOf({ path: 'src/', kind: 'file' }).kind).toBe('tree');
    expect(claimOf({ path: '.', kind: 'file' }).kind).toBe('tree');
    expect(claimOf({ path: 'ro:src', mode: 'write' })).toEqual(claimOf('src'));
    expect(claimOf({ path: 'ro:src' })).toEqual(claimOf('ro:src'));
  });
});

describe('a resource', () => {
  test.each([
    ['res:port/5432', 'res:port:5432'],
    ['res:Port\\5432', 'res:port:5432'],
    ['res:staging', 'res:staging'],
    ['res:port/5432@Laptop-1', 'res:port:5432/@laptop-1'],
    ['res:number/db_migrations.v2', 'res:number:db_migrations.v2'],
  ])('%j has the key %j, which is no path’s', (path, node) => {
    expect(claimOf(path)).toEqual({ kind: 'resource', mode: 'write', node, display: path.toLowerCase().replace('\\', '/') });
    expect(claimOf(claimOf(path).display)).toEqual(claimOf(path));
    expect(claimOf(path, 'sensitive').node).toBe(node);
    expect(claimOf({ path, kind: 'resource' })).toEqual(claimOf(path));
    expect(claimOf(`ro:${path}`).mode).toBe('read');
    expect(claimOf(`./${path}`)).toMatchObject({ kind: 'file', node: expect.stringMatching(/^\/res:/) });
  });
});

describe('hostile strings', () => {
  test('200,000 of them: refused, or a clean key that display and format lead back to', () => {
    const { operations, violations, accepted } = normaliserSuite(runOf(200_000));
    expect(violations).toEqual([]);
    expect(Math.min(accepted.paths, accepted.patterns)).toBeGreaterThan(operations / 10);
  }, 60_000);

  test('spelling in another case or form never gives another key', () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        const parsed = parseClaim(path);
        if (!parsed.ok || parsed.claim.kind === 'resource') return true;
        const { node } = parsed.claim;
        // Invisible marks go first: a capital iota in place of U+0345 would end the accents that one of them parted.
        const display = parsed.claim.display.replace(/\u200c|\u200d|\u202e|\ufeff/gu, '').normalize('NFC');
        // A capital `C:` or `RO:` may change what the head of the string means, hence the directory in front.
        return [display.toUpperCase(), display.toLowerCase(), display.normalize('NFD')].every(
          (other) => claimOf(`x/${other}`).node === (node === '' ? '/x' : `/x${node}`),
        );
      }),
      { numRuns: 20_000 },
    );
  });

  test('a megabyte of anything is answered at once', () => {
    const begun = performance.now();
    for (const part of ['a/', '../', './', '.', ' ', '*', '\u0301\u0345', 'ro:', '\\']) codeOf(part.repeat(1_000_000 / part.length));
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});
