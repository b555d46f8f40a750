import { lockDirectory } from '../../src/engines/database/lock.ts';

// A contender for data directories: at the moment given first, and every 5 ms after, it takes the next one, and keeps it.
const [start = '0', ...directories] = process.argv.slice(2);
const taken: string[] = [];
for (const [position, directory] of directories.entries()) {
  while (Date.now() < Number(start) + 5 * position);
  try {
    lockDirectory(directory, `process ${process.pid}`);
    taken.push(directory);
  } catch (error) {
    if (!(error instanceof Error && error.name === 'DataDirectoryInUse')) throw error;
  }
}
process.stdout.write(`${JSON.stringify(taken)}\n`);
// Until its standard input ends: a process that is gone holds nothing.
await Bun.stdin.text();
