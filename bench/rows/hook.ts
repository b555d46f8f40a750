import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileCli, compileFlags } from '../../scripts/lib/cli.mjs';
import { startServer } from '../lib/processes.ts';
import { makeProject } from '../lib/project.ts';
import { type Context, type Measured, median, type Row } from '../lib/row.ts';

const goal = 1.7;

export const hook: Row = { name: 'hook', about: 'a hook beside an empty compiled program, processor time', run };

type Sample = { cpu: number; wall: number };
type Program = { name: string; command: string[]; env: Record<string, string>; stdin: string; before?: () => Promise<void> };

/** The server is asked only once, so it makes no difference which engines it has. */
async function run({ engines, quick, note }: Context): Promise<Measured[]> {
  if (engines === 'team') return [];
  const folder = mkdtempSync(join(tmpdir(), 'nexus-bench-hook-'));
  const server = await startServer({});
  try {
    const [nexus, empty] = [join(folder, 'nexus'), join(folder, 'empty')];
    const failed = (await compileCli(process.execPath, { outfile: nexus })) ?? (await compileEmpty(folder, empty));
    if (failed !== undefined) {
      note(`hook: left out, for nothing can be compiled here: ${failed}`);
      return [];
    }
    const { apiKey, projectId } = await makeProject(server.url, 1);
    const repo = makeRepository(folder, { server: server.url, projectId });
    const plain = makeRepository(join(folder, 'plain'), undefined);
    const env = (name: string): Record<string, string> => ({
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      CLAUDE_PID: String(process.pid),
      NEXUS_SERVER_URL: server.url,
      NEXUS_TOKEN: apiKey,
      NEXUS_RUNTIME_DIR: join(folder, name),
    });
    const edit = (cwd: string): string =>
      JSON.stringify({
        session_id: 'bench',
        cwd,
        hook_event_name: 'PreToolUse',
        tool_name: 'Edit',
        tool_input: { file_path: join(cwd, 'src/a.ts') },
      });
    const command = [nexus, 'hook', 'claude'];
    const stop = async (name: string): Promise<void> =>
      void (await Bun.spawn([nexus, 'keeper', 'stop'], { env: env(name), stdout: 'ignore', stderr: 'ignore' }).exited);
    const programs: Program[] = [
      { name: 'empty', command: [empty], env: env('warm'), stdin: edit(repo) },
      { name: 'warm', command, env: env('warm'), stdin: edit(repo) },
      { name: 'absent', command, env: env('absent'), stdin: edit(plain) },
    ];
    await warmUp(programs[1], note);
    const samples = await inTurns(programs, quick ? 15 : 60);
    const cold = await inTurns([{ name: 'cold', command, env: env('cold'), stdin: edit(repo), before: () => stop('cold') }], quick ? 2 : 5);
    await stop('cold');
    await stop('warm');
    const of = (name: string, what: keyof Sample): number =>
      median((samples.get(name) ?? cold.get(name) ?? []).map((sample) => sample[what]));
    const ratios = (samples.get('warm') ?? []).map(({ cpu }, round) => cpu / (samples.get('empty')?.[round]?.cpu ?? NaN));
    const ratio = median(ratios);
    const wall = ['empty', 'warm', 'absent', 'cold'].map(
      (name) => `${name} ${of(name, 'wall').toFixed(1)} (CPU ${of(name, 'cpu').toFixed(1)})`,
    );
    const p95 = (samples.get('warm') ?? []).map((sample) => sample.wall).sort((a, b) => a - b);
    return [
      {
        what: 'an edit of an own path, the keeper warm; baseline: an empty compiled program',
        unit: 'ms CPU',
        ours: of('warm', 'cpu'),
        baseline: of('empty', 'cpu'),
        ratio,
        goal: `≤ ${goal}`,
        met: ratio <= goal,
        more: `wall ms: ${wall.join(', ')}; warm p95 ${(p95[Math.floor(p95.length * 0.95)] ?? NaN).toFixed(1)}`,
      },
    ];
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The first events start the keeper, open the session and claim the path. */
async function warmUp(program: Program | undefined, note: Context['note']): Promise<void> {
  if (program === undefined) return;
  for (let n = 0; n < 4; n += 1) {
    const said = await once(program);
    if (said.output !== '') note(`hook: ${said.output}`);
    await Bun.sleep(500);
  }
}

async function inTurns(programs: Program[], rounds: number): Promise<Map<string, Sample[]>> {
  const samples = new Map(programs.map(({ name }): [string, Sample[]] => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const program of programs) {
      await program.before?.();
      samples.get(program.name)?.push(await once(program));
    }
  }
  return samples;
}

async function once({ command, env, stdin }: Program): Promise<Sample & { output: string }> {
  const began = performance.now();
  const child = Bun.spawn(command, { env, stdin: new Blob([stdin]), stdout: 'pipe', stderr: 'ignore' });
  const output = await new Response(child.stdout).text();
  await child.exited;
  const wall = performance.now() - began;
  return { cpu: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1000, wall, output };
}

async function compileEmpty(folder: string, outfile: string): Promise<string | undefined> {
  const source = join(folder, 'empty.ts');
  writeFileSync(source, 'export {};\n');
  const child = Bun.spawn([process.execPath, 'build', source, ...compileFlags, '--outfile', outfile], { stdout: 'ignore', stderr: 'pipe' });
  const said = await new Response(child.stderr).text();
  return (await child.exited) === 0 ? undefined : said;
}

function makeRepository(parent: string, link: object | undefined): string {
  const repo = join(parent, 'repo');
  mkdirSync(join(repo, 'src'), { recursive: true });
  Bun.spawnSync(['git', 'init', '-q', repo]);
  writeFileSync(join(repo, 'src/a.ts'), '');
  if (link !== undefined) writeFileSync(join(repo, '.nexus.json'), JSON.stringify(link));
  return repo;
}
