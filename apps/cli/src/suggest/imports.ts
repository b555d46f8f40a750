import { dirname, join } from 'node:path/posix';

const script = /\.[cm]?[jt]sx?$/;
const specifiers = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)['"]([^'"\n]+)['"]/g;
const python = /^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+([\w, \t*]+)|import[ \t]+([\w., \t]+))/gm;

/** Which of the repository's files each file imports: TypeScript, JavaScript and Python, by relative path or module name. */
export function importsOf(texts: Map<string, string>): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  for (const [path, text] of texts) {
    const found = script.test(path) ? scriptImports(path, text, texts) : path.endsWith('.py') ? pythonImports(path, text, texts) : [];
    graph.set(path, new Set(found.filter((other) => other !== path)));
  }
  return graph;
}

function scriptImports(path: string, text: string, files: Map<string, string>): string[] {
  return [...text.matchAll(specifiers)].flatMap(([, name = '']) => {
    if (!name.startsWith('.')) return [];
    const base = join(dirname(path), name);
    const bare = base.replace(/\.[cm]?jsx?$/, '');
    const tries = [
      base,
      ...['ts', 'tsx', 'mts', 'js', 'jsx', 'mjs'].flatMap((end) => [`${base}.${end}`, `${bare}.${end}`, `${base}/index.${end}`]),
    ];
    const hit = tries.find((each) => files.has(each));
    return hit === undefined ? [] : [hit];
  });
}

function pythonImports(path: string, text: string, files: Map<string, string>): string[] {
  const find = (module: string): string[] => {
    const base = module.replaceAll('.', '/');
    const hit = [`${base}.py`, `${base}/__init__.py`, `src/${base}.py`, `src/${base}/__init__.py`].find((each) => files.has(each));
    return hit === undefined ? [] : [hit];
  };
  return [...text.matchAll(python)].flatMap(([, from, names = '', plain]) => {
    if (plain !== undefined) return plain.split(',').flatMap((name) => find(name.trim().split(/\s/)[0] ?? ''));
    const dots = /^\.*/.exec(from ?? '')?.[0].length ?? 0;
    const above = dots === 0 ? '' : `${dirname(path)}${'/..'.repeat(dots - 1)}`;
    const module = join(above, (from ?? '').slice(dots).replaceAll('.', '/'))
      .replaceAll('/', '.')
      .replace(/^\.+/, '');
    return [...find(module), ...names.split(',').flatMap((name) => find(`${module}.${name.trim().split(/\s/)[0] ?? ''}`))];
  });
}
