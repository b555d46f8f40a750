import { execFile } from 'node:child_process';

type Options = { index?: string; stdin?: string; timeoutMs?: number };

/** Who commits what Nexus keeps: no user's name is needed for it, and none is put under it. */
const keeper = { NAME: 'Nexus', EMAIL: 'nexus@localhost' };

/** Nobody's hooks and watchers run for it, no second index file is split off, and no line ending stands in its way. */
const plainly = ['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'core.splitIndex=false', 'core.safecrlf=false'].flatMap((one) => [
  '-c',
  one,
]);

/** Git's answer; undefined when it fails. With `index`, that file stands for the user's, which is not touched. */
export async function plumb(dir: string, args: string[], options: Options = {}): Promise<string | undefined> {
  const { ok, out } = await plumbing(dir, args, options);
  return ok ? out.toString().replace(/\n$/, '') : undefined;
}

/** The same, with the bytes as they come, and what git said to people. */
export function plumbing(
  dir: string,
  args: string[],
  { index, stdin, timeoutMs = 30_000 }: Options = {},
): Promise<{ ok: boolean; out: Buffer; err: string }> {
  const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, GIT_INDEX_FILE: _index, GIT_PREFIX: _prefix, ...inherited } = process.env;
  const env = {
    ...inherited,
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: keeper.NAME,
    GIT_AUTHOR_EMAIL: keeper.EMAIL,
    GIT_COMMITTER_NAME: keeper.NAME,
    GIT_COMMITTER_EMAIL: keeper.EMAIL,
    ...(index === undefined ? {} : { GIT_INDEX_FILE: index }),
  };
  return new Promise((resolve) => {
    const child = execFile(
      'git',
      ['-C', dir, ...plainly, ...args],
      { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, env, encoding: 'buffer' },
      (error, stdout, stderr) => resolve({ ok: error === null, out: stdout, err: stderr.toString().trim() }),
    );
    // Git may have ended without reading.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(stdin ?? '');
  });
}
