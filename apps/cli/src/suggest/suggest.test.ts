import { expect, test } from 'bun:test';
import { importsOf } from './imports.ts';
import { suggest } from './suggest.ts';
import { wavesOf } from './waves.ts';

const files = (given: Record<string, string>) => new Map(Object.entries(given));

test('imports are followed in TypeScript, JavaScript and Python', () => {
  const graph = importsOf(
    files({
      'src/a.ts': "import { b } from './b.js';\nexport * from '../lib';\nconst c = await import('./c');\nimport 'zod';",
      'src/b.ts': '',
      'src/c.jsx': "const d = require('../lib/index.js')",
      'lib/index.js': '',
      'app/views.py': 'from .models import User\nfrom . import forms\nimport app.util as u\nimport os\n',
      'app/models.py': '',
      'app/forms.py': 'from app.models import User',
      'app/util.py': '',
    }),
  );
  expect([...(graph.get('src/a.ts') ?? [])].toSorted()).toEqual(['lib/index.js', 'src/b.ts', 'src/c.jsx']);
  expect([...(graph.get('src/c.jsx') ?? [])]).toEqual(['lib/index.js']);
  expect([...(graph.get('app/views.py') ?? [])].toSorted()).toEqual(['app/forms.py', 'app/models.py', 'app/util.py']);
  expect([...(graph.get('app/forms.py') ?? [])]).toEqual(['app/models.py']);
});

test('words find the place, imports and history what goes with it, and a hub is set apart', () => {
  const users = Object.fromEntries(Array.from({ length: 14 }, (_, n) => [`src/other${n}.ts`, "import './config.ts';"]));
  const texts = files({
    'src/login/form.ts': "import './check.ts';\nimport '../config.ts'; // login password",
    'src/login/check.ts': 'export const ok = 1',
    'src/config.ts': 'export const passwordLength = 8; // of the login form: password',
    'locales/en.json': '{}',
    ...users,
  });
  const commits = Array.from({ length: 5 }, () => ['src/login/form.ts', 'locales/en.json']);
  const { paths, hubs } = suggest({ title: 'Login form', spec: 'Ask for the password twice.' }, { texts, commits });
  expect(paths.map(({ path }) => path)).toEqual(['src/login/form.ts', 'src/login/check.ts', 'locales/en.json']);
  expect(paths[2]?.why).toEqual(['changed with src/login/form.ts, 5 of 5 times']);
  expect(hubs.map(({ path }) => path)).toEqual(['src/config.ts']);
  expect(suggest({ title: 'Xylophone', spec: '' }, { texts, commits })).toEqual({ paths: [], hubs: [] });
});

test('a wave has nobody in another’s way, and none before what it waits for', () => {
  const of = (slug: string, touches: string[], dependsOn: string[] = []) => ({ slug, touches, dependsOn });
  expect(
    wavesOf([
      of('late', ['z.ts'], ['auth']),
      of('auth', ['src/auth/', 'ro:docs/']),
      of('form', ['src/auth/form.ts']),
      of('docs', ['ro:docs/a.md', 'src/b.ts']),
      of('free', []),
    ]),
  ).toEqual([
    ['auth', 'docs', 'free'],
    ['late', 'form'],
  ]);
});
