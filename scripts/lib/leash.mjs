import { spawn } from 'node:child_process';
import { onClose } from './closers.mjs';

/**
 * The pipe to this shell closes when we end, in whatever way (SIGKILL included); it then stops the program and removes
 * its folder. Input: $1 signal, $2 folder, $3… program with arguments. Exits with the program's code.
 */
const script =
  'signal=$1; folder=$2; shift 2; "$@" & child=$!; cat >/dev/null; kill -s "$signal" $child; wait $child; code=$?; rm -rf "$folder"; exit $code';

/** Starts a program that cannot outlive this process. Answers `{ output, stop }`; `prefix` is a command that runs it as another user. */
export function onLeash({ command, args, folder, signal, prefix = [] }) {
  const [first, ...rest] = [...prefix, 'sh', '-c', script, 'leash', signal, folder, command, ...args];
  // Its own process group: Ctrl-C must reach us alone, and we end it when the tests are done with it.
  const child = spawn(first, rest, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, cwd: folder });
  let output = '';
  const keep = (chunk) => {
    output = (output + chunk).slice(-4000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.on('error', keep);
  child.stdin.on('error', () => {});
  const ended = new Promise((resolve) => child.once('close', resolve));
  const stop = onClose(async () => {
    child.stdin.end();
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 5000))]);
  });
  return { output: () => output, stop };
}
