import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { findDirs } from '../config.ts';
import { callKeeper } from '../keeper/call.ts';
import { keeperFiles } from '../keeper/protocol.ts';
import { runKeeper } from '../keeper/run.ts';
import { clean, fromNow, shortId, table } from '../text.ts';
import { examples, type Runner } from './command.ts';

export function addKeeperCommands(program: Command, run: Runner): void {
  const keeper = examples(
    program.command('keeper').description('The process that keeps this machine’s sessions alive'),
    'nexus keeper status',
  );

  keeper
    .command('run', { hidden: true })
    .description('Run the keeper in the foreground; commands start it by themselves')
    .action(run(async ({ io }) => runKeeper(io)));

  examples(keeper.command('status').description('Which sessions are kept'), 'nexus keeper status --json').action(
    run(async ({ io, out }) => {
      const answer = await callKeeper(keeperFiles(findDirs(io.env).runtime).socket, { op: 'status' });
      const sessions = answer?.sessions ?? [];
      out.data({ running: answer !== undefined, pid: answer?.pid ?? null, version: answer?.version ?? null, sessions }, () => {
        if (answer === undefined) return 'No keeper runs. The first command that opens a session starts one.';
        const rows = sessions.map((one) => [
          shortId(one.sessionId),
          one.server,
          String(one.pid),
          one.state,
          one.lastBeat ? fromNow(one.lastBeat) : '-',
          clean(one.problem ?? ''),
        ]);
        return `Keeper ${answer.version ?? ''}, process ${answer.pid ?? '-'}, keeps ${sessions.length} session(s)${rows.length > 0 ? `\n${table(['SESSION', 'SERVER', 'PROCESS', 'STATE', 'LAST BEAT', 'PROBLEM'], rows, out.columns)}` : ''}`;
      });
    }),
  );

  examples(
    keeper.command('stop').description('Stop it; sessions are lost when their leases run out, unless a command starts it again'),
    'nexus keeper stop',
  ).action(
    run(async ({ io, out }) => {
      const answer = await callKeeper(keeperFiles(findDirs(io.env).runtime).socket, { op: 'stop' });
      if (answer === undefined) throw new CliError('notFound', 'NOT_FOUND', 'No keeper runs.');
      out.data({ stopped: true, pid: answer.pid ?? null }, () => 'Stopped the keeper.');
    }),
  );
}
