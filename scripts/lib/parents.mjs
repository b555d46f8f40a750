import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The name and the parent of a process, or undefined. */
function describe(pid) {
  try {
    const [, name, parent] = /\((.*)\) \S+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return { name, parent: Number(parent) };
  } catch {
    const [parent, name] =
      spawnSync('ps', ['-o', 'ppid=,comm=', '-p', String(pid)])
        .stdout?.toString()
        .trim()
        .split(/\s+/) ?? [];
    return parent ? { name, parent: Number(parent) } : undefined;
  }
}

/**
 * npm runs a script through `sh -c`. It passes SIGTERM to that shell, which dies of it and tells nobody; and when npm is
 * killed itself the shell lives on. Answers a function that is true while both still stand above this process.
 */
export function watchNpm() {
  if (!process.env.npm_lifecycle_event) return () => true;
  const parent = process.ppid;
  const shell = describe(parent);
  const npm = shell && /(^|\/)(ba|da|z|k|a)?sh$/.test(shell.name) ? shell.parent : parent;
  return () => {
    if (process.ppid !== parent) return false;
    try {
      process.kill(npm, 0);
      return true;
    } catch (error) {
      return error.code === 'EPERM';
    }
  };
}
