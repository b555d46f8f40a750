import { exitCodes } from './errors.ts';
import type { Io, Sink } from './io.ts';
import { runCli } from './program.ts';
import { self } from './self.ts';

/** After Ctrl-C a command gets this long to end in order. */
const patienceMs = 1000;

export function runCommand(): void {
  const interruption = new AbortController();
  process.on('SIGINT', () => {
    if (interruption.signal.aborted) process.exit(exitCodes.interrupted);
    interruption.abort();
    setTimeout(() => process.exit(exitCodes.interrupted), patienceMs).unref();
  });
  // Whoever read our output has enough (`nexus watch | head`): that is no failure.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failure));
  }
  const io: Io = {
    env: process.env,
    cwd: process.cwd(),
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    stdin: { isTTY: process.stdin.isTTY === true, read: readStdin },
    signal: interruption.signal,
    pid: process.pid,
    self: self(),
  };
  void runCli(process.argv.slice(2), io).then((code) => {
    process.exitCode = code;
  });
}

const sink = (stream: NodeJS.WriteStream): Sink => ({
  write: (text) => void stream.write(text),
  isTTY: stream.isTTY === true,
  columns: stream.columns || 80,
});

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
