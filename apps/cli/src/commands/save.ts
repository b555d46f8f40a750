import type { Command } from 'commander';
import { CliError, usage } from '../errors.ts';
import { checkpointLine } from '../handover.ts';
import { asHolder, heldSlug } from '../held.ts';
import { machineId } from '../machine.ts';
import { clean } from '../text.ts';
import { workContext } from '../wip/keep.ts';
import { snapshot } from '../wip/snapshot.ts';
import { examples, type Runner } from './command.ts';

type SaveOptions = { notes?: string; context?: string };

export function addSaveCommand(program: Command, run: Runner): void {
  examples(
    program
      .command('save')
      .description('Keep where this session stands with a feature, for whoever resumes: branch, commit, what is uncommitted, notes')
      .argument('[slug]', 'default: the feature that this session holds')
      .option('-n, --notes <text>', 'what is done, what is next; - reads stdin')
      .option('--context <json>', 'more, as a JSON object'),
    'nexus save --notes "The form posts. Next: error messages"',
    'nexus save login-form --notes - < notes.md',
  ).action(
    run(async (context, given: string | undefined, options: SaveOptions) => {
      const notes = options.notes === '-' ? (await context.io.stdin.read()).trim() : options.notes;
      const more = jsonObject(options.context);
      const slug = await heldSlug(context, given);
      const { id: projectId, client } = await context.project();
      const { id: featureId } = await client.getFeature({ projectId, slug });
      const worktree = await context.worktree();
      const machine = machineId((await context.settings()).dirs.state);
      const saved = await asHolder(context, async (session) => {
        const held = (await client.myClaims({ projectId }, { session })).filter(({ mode }) => mode === 'write');
        const at = worktree && { toplevel: worktree.toplevel, gitDir: worktree.gitDir, machine };
        const [own] = held;
        const paths = held.map(({ filePath }) => filePath);
        const wip = at && own && (await snapshot({ ...at, sessionId: own.sessionId, paths, as: 'saved' }));
        const work = at ? await workContext(at, wip) : {};
        const body = { sessionId: session, featureId, context: { ...more, ...work }, type: 'manual' as const };
        return client.saveCheckpoint({ projectId, body: { ...body, ...(notes ? { notes } : {}) } });
      });
      if (saved === null) throw new CliError('failure', 'FAILURE', 'The server kept nothing.');
      context.out.data(saved, (checkpoint) => `Saved ${clean(slug)}: ${checkpointLine(checkpoint)}`);
      if (!notes) context.out.note('Add --notes "…": what is done and what is next helps whoever resumes the most.');
    }),
  );
}

function jsonObject(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Told below.
  }
  throw usage('--context wants a JSON object, such as \'{"next":"tests"}\'.');
}
