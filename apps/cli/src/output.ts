import type { Io } from './io.ts';
import type { Problem } from './errors.ts';
import { cleanBlock, safeJson } from './text.ts';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
const codes: Record<Style, [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export type OutputOptions = { json?: boolean | undefined; quiet?: boolean | undefined; color?: boolean | undefined };

export type Output = {
  json: boolean;
  /** The command's result: the value itself with `--json`, else what `render` makes of it. */
  data: <T>(value: T, render: (value: T) => string) => void;
  /** One line of a stream, already formed. */
  line: (text: string) => void;
  /** Said to people on stderr; silent with `--quiet` and `--json`. */
  note: (text: string) => void;
  warn: (text: string) => void;
  problem: (problem: Problem, text?: string) => void;
  /** Columns of the terminal; undefined when stdout is not one, so that nothing is cut for a pipe. */
  columns: number | undefined;
  paint: (style: Style, text: string) => string;
};

export function createOutput(io: Pick<Io, 'stdout' | 'stderr' | 'env'>, options: OutputOptions): Output {
  const json = options.json === true;
  const silent = options.quiet === true || json;
  const outColor = wantsColor(io.env, io.stdout.isTTY, options.color);
  const errColor = wantsColor(io.env, io.stderr.isTTY, options.color);
  const err = (style: Style, text: string): string => (errColor ? painted(style, text) : text);
  const writeLine = (sink: Io['stdout'], text: string): void => sink.write(text.endsWith('\n') ? text : `${text}\n`);
  return {
    json,
    data: (value, render) => {
      const text = json ? safeJson(value ?? null, 2) : render(value);
      if (text !== '') writeLine(io.stdout, text);
    },
    line: (text) => writeLine(io.stdout, text),
    note: (text) => {
      if (!silent) writeLine(io.stderr, text);
    },
    warn: (text) => writeLine(io.stderr, `${err('yellow', 'warning:')} ${text}`),
    problem: (problem, text) => {
      if (json) {
        const { exit: _exit, ...error } = problem;
        writeLine(io.stderr, safeJson({ error }));
      } else writeLine(io.stderr, text ?? `${err('red', 'error:')} ${cleanBlock(problem.message)}`);
    },
    columns: io.stdout.isTTY ? io.stdout.columns : undefined,
    paint: (style, text) => (outColor ? painted(style, text) : text),
  };
}

const painted = (style: Style, text: string): string => `\u001b[${codes[style][0]}m${text}\u001b[${codes[style][1]}m`;

function wantsColor(env: Io['env'], isTTY: boolean, flag: boolean | undefined): boolean {
  if (flag === false || (env['NO_COLOR'] ?? '') !== '') return false;
  if ((env['FORCE_COLOR'] ?? '0') !== '0') return true;
  return isTTY && env['TERM'] !== 'dumb';
}
