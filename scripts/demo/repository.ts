import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { capture } from '../lib/programs.mjs';

const parts = ['auth', 'auth/login', 'pages', 'search', 'checkout', 'cart', 'catalog', 'mail', 'api', 'ui'];
const modules = ['index', 'form', 'token', 'session', 'store', 'routes', 'errors', 'types', 'format', 'parse', 'cache'];

/** A web shop of more than 200 tracked files, with one commit. Answers their number. */
export async function makeRepository(at: string, env: Record<string, string>): Promise<number> {
  const files: [string, string][] = [
    ['README.md', '# Web shop\n'],
    ['docs/api.md', '# API\n'],
    ['src/pages/login.ts', "export const login = () => 'login';\n"],
  ];
  for (const part of parts) {
    for (const name of modules) {
      files.push([`src/${part}/${name}.ts`, `export const ${name}Of${part.replace(/\W/g, '_')} = '${part}/${name}';\n`]);
      files.push([`src/${part}/${name}.test.ts`, `import './${name}.ts';\n`]);
    }
  }
  for (const [path, text] of files) {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    writeFileSync(join(at, path), text);
  }
  const git = async (...args: string[]) => {
    const { code, output, stdout } = await capture('git', args, { cwd: at, env });
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${output}`);
    return stdout;
  };
  await git('init', '--quiet', '--initial-branch', 'main');
  await git('add', '.');
  await git('commit', '--quiet', '--message', 'A web shop');
  return (await git('ls-files')).trim().split('\n').length;
}
