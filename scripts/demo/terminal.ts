import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Report } from './report.ts';
import type { World } from './world.ts';

export type Ran = { code: number; stdout: string; stderr: string };

export type Terminal = {
  pid: number;
  /** Types a command and shows it with what it said; answers when it is over. */
  run: (command: string, options?: { quiet?: boolean }) => Promise<Ran>;
  /** The same with `--json`, its answer read and not shown. */
  json: <T>(command: string) => Promise<T>;
  /** Shuts the window: SIGKILL, no goodbye. */
  kill: () => void;
};

type Needs = { name: string; cwd: string; env: Record<string, string>; report: Report; world: World };

/** A shell that leads a session of its own, as one in a terminal window does: that is what identity by terminal goes by. */
export function openTerminal({ name, cwd, env, report, world }: Needs): Terminal {
  const shell = spawn('bash', [], { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const pid = shell.pid;
  if (pid === undefined) throw new Error('bash could not be started.');
  const gone = new Promise<never>((_, reject) => shell.once('close', () => reject(new Error(`The terminal ${name} is gone.`))));
  gone.catch(() => {});
  const outputs = [shell.stdout, shell.stderr].map((stream) => {
    const reader = { text: '', look: () => {} };
    stream.on('data', (chunk: Buffer) => {
      reader.text += chunk.toString();
      reader.look();
    });
    return reader;
  });
  // Its process group: a command that runs when the demo is killed would start another keeper.
  world.bury(-pid);

  const upTo = (reader: { text: string; look: () => void }, end: RegExp) =>
    new Promise<[string, number]>((resolve) => {
      reader.look = () => {
        const found = end.exec(reader.text);
        if (!found) return;
        resolve([reader.text.slice(0, found.index), Number(found[1])]);
        reader.text = reader.text.slice(found.index + found[0].length);
        reader.look = () => {};
      };
      reader.look();
    });

  const silent = async (command: string): Promise<Ran> => {
    const mark = randomUUID();
    const told = Promise.all(outputs.map((reader) => upTo(reader, new RegExp(`\n${mark} (\\d+)\n`))));
    shell.stdin.write(`{ ${command}\n} </dev/null; code=$?; printf '\\n${mark} %d\\n' $code; printf '\\n${mark} %d\\n' $code >&2\n`);
    const [out, err] = await Promise.race([told, gone]);
    return { code: out?.[1] ?? -1, stdout: out?.[0] ?? '', stderr: err?.[0] ?? '' };
  };

  return {
    pid,
    run: async (command, { quiet = false } = {}) => {
      report.typed(name, command);
      const ran = await silent(command);
      if (!quiet) report.said(`${ran.stdout.trimEnd()}\n${ran.stderr.trimEnd()}`);
      return ran;
    },
    json: async <T>(command: string) => {
      const ran = await silent(`${command} --json`);
      if (ran.code !== 0) throw new Error(`${name} $ ${command} --json: exit code ${ran.code}\n${ran.stderr}`);
      // The demo reads its own commands' answers, whose shape the contract fixes.
      return JSON.parse(ran.stdout) as T;
    },
    kill: () => {
      shell.kill('SIGKILL');
      world.unbury(-pid);
    },
  };
}
