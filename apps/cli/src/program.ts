import { Command, CommanderError } from 'commander';
import { addAllocCommands } from './commands/alloc.ts';
import { addClaimsCommands } from './commands/claims.ts';
import { createRunner } from './commands/command.ts';
import { addDecisionCommands } from './commands/decision.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addFeatureCommands } from './commands/feature.ts';
import { addGitHookCommand } from './commands/git-hook.ts';
import { addImportCommand } from './commands/import.ts';
import { addStatsCommand, addWhyCommand } from './commands/history.ts';
import { addInstallCommands } from './commands/install.ts';
import { addKeeperCommands } from './commands/keeper.ts';
import { addLearnCommands } from './commands/learn.ts';
import { addKeyCommands } from './commands/key.ts';
import { addLoginCommands } from './commands/login.ts';
import { addMessageCommands } from './commands/message.ts';
import { addPatchCommands } from './commands/patch.ts';
import { addProjectCommands } from './commands/project.ts';
import { addRoadmapCommands } from './commands/roadmap.ts';
import { addSaveCommand } from './commands/save.ts';
import { addSearchCommand } from './commands/search.ts';
import { addRequestCommands } from './commands/request.ts';
import { addSessionCommands } from './commands/session.ts';
import { addSetupCommand } from './commands/setup.ts';
import { addStatusCommand } from './commands/status.ts';
import { addUpCommand } from './commands/up.ts';
import { addVerifyCommand } from './commands/verify.ts';
import { addWatchCommand } from './commands/watch.ts';
import { createContext } from './context.ts';
import { CliError, exitCodes } from './errors.ts';
import { type Io, version } from './io.ts';
import { createOutput } from './output.ts';
import { report } from './report.ts';

/** Runs one command line (without the program's own name) and answers its exit code. */
export async function runCli(args: string[], io: Io): Promise<number> {
  const exit: { code: number } = { code: exitCodes.ok };
  const program = buildProgram(io, (code) => {
    exit.code = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return io.signal.aborted ? exitCodes.interrupted : exit.code;
  } catch (error) {
    if (io.signal.aborted || (error instanceof CliError && error.exit === exitCodes.interrupted)) return exitCodes.interrupted;
    if (error instanceof CommanderError) {
      if (error.exitCode === 0 || (error.code === 'commander.help' && args.length === 0)) return exitCodes.ok;
      // Help for a group without a verb is on stderr already.
      if (error.code === 'commander.help') return exitCodes.usage;
      return report(new CliError('usage', 'USAGE', error.message.replace(/^error: /, '')), createOutput(io, outputOptions(args)));
    }
    return report(error, createOutput(io, outputOptions(args)));
  }
}

/** The command line may be wrong, so its global options are looked for, not parsed. */
const outputOptions = (args: string[]): { json: boolean; color?: boolean } => ({
  json: args.includes('--json'),
  ...(args.includes('--no-color') ? { color: false } : {}),
});

function buildProgram(io: Io, exitWith: (code: number) => void): Command {
  const program = new Command('nexus')
    .description('Coordinates coding agents: who works on which feature, and who holds which paths.')
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // The one error handler prints it, as JSON where that is asked for.
      outputError: () => {},
      getOutHelpWidth: () => io.stdout.columns,
      getErrHelpWidth: () => io.stderr.columns,
    })
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .option('--json', 'the result as JSON on stdout, errors as JSON on stderr')
    .option('-q, --quiet', 'only the result and errors')
    .option('--no-input', 'ask nothing; fail where an answer is missing')
    .option('-y, --yes', 'do not ask before something that cannot be undone')
    .option('--no-color', 'no colours (also NO_COLOR)')
    .option('-C <dir>', 'run as if started in this directory')
    .option('--project <project>', 'slug or id (NEXUS_PROJECT; default: .nexus.json)')
    .option('--server <url>', 'NEXUS_SERVER_URL; default: .nexus.json, then the last login')
    .addHelpText(
      'after',
      '\nExit codes: 0 ok, 1 failure, 2 usage, 3 conflict (somebody holds it), 4 not allowed, 5 not found, 6 server unreachable, 130 interrupted.',
    );
  const run = createRunner((options) => createContext(io, options, exitWith));
  addUpCommand(program, run);
  addSetupCommand(program, run);
  addLoginCommands(program, run);
  addProjectCommands(program, run);
  addKeyCommands(program, run);
  addFeatureCommands(program, run);
  addSaveCommand(program, run);
  addRoadmapCommands(program, run);
  addClaimsCommands(program, run);
  addAllocCommands(program, run);
  addImportCommand(program, run);
  addLearnCommands(program, run);
  addDecisionCommands(program, run);
  addSearchCommand(program, run);
  addRequestCommands(program, run);
  addPatchCommands(program, run);
  addSessionCommands(program, run);
  addMessageCommands(program, run);
  addStatusCommand(program, run);
  addWhyCommand(program, run);
  addStatsCommand(program, run);
  addWatchCommand(program, run);
  addInstallCommands(program, run);
  addVerifyCommand(program, run);
  addDoctorCommand(program, run);
  addGitHookCommand(program, run);
  addKeeperCommands(program, run);
  return program;
}
