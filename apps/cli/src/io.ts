export type Sink = { write: (text: string) => void; isTTY: boolean; columns: number };

/** All that the command needs of its process; `main.ts` fills it, tests make their own. */
export type Io = {
  env: Record<string, string | undefined>;
  cwd: string;
  stdout: Sink;
  stderr: Sink;
  stdin: { isTTY: boolean; read: () => Promise<string> };
  /** Aborts on Ctrl-C. */
  signal: AbortSignal;
  pid: number;
  /** Runs this same program again: an executable and its first arguments. */
  self: { command: string; args: string[] };
};

export const version = '0.1.0';
