import { EXPORT_FORMAT, type Imported, type ProjectExport } from '@nexus/contract';
import type { Database } from '../engines/database/database.ts';
import { indexMissing } from '../knowledge/index.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Actor } from '../platform/actor.ts';
import { AppError } from '../platform/errors.ts';
import type { Projects } from '../projects/index.ts';
import { exportOf, settingsOf } from './export.store.ts';
import { insertDecisions, insertFeatures, insertLearnings, isEmpty } from './import.store.ts';
import { requireKnownFeatures, requireSoundDecisions, soundFeatures } from './sound.ts';

export type Transfer = ReturnType<typeof createTransfer>;

/** So many rows in one statement: each has five seconds. */
const BATCH = 500;

type Needs = { database: Database; ledger: Ledger; projects: Projects };

/** A project leaves one server and stands on another as it was; who holds what stays behind. */
export function createTransfer({ database, ledger, projects }: Needs) {
  async function leave(projectId: string): Promise<ProjectExport> {
    const project = await projects.get(projectId);
    return { format: EXPORT_FORMAT, project: settingsOf(project), ...(await exportOf(database.db, projectId)) };
  }

  async function arrive(actor: Actor, given: ProjectExport): Promise<Imported> {
    const { projectId } = actor;
    const features = withIds(soundFeatures(given, await projects.rules(projectId)));
    requireSoundDecisions(given);
    requireKnownFeatures(given);
    const idOf = new Map(features.map(({ slug, id }) => [slug, id]));
    const featureId = ({ feature }: { feature: string | null }) => (feature === null ? null : (idOf.get(feature) ?? null));
    const learnings = withIds(given.learnings).map((row) => ({ ...row, featureId: featureId(row) }));
    const numbered = withIds(given.decisions);
    const decisionOf = new Map(numbered.map(({ number, id }) => [number, id]));
    const decisions = numbered.map((row) => ({
      ...row,
      featureId: featureId(row),
      supersedes: row.supersedes === null ? null : (decisionOf.get(row.supersedes) ?? null),
    }));
    const into = { projectId, engineerId: actor.engineer.id };
    const counts = { features: features.length, learnings: learnings.length, decisions: decisions.length };
    const imported = await ledger.change(actor, 'import', async (tx, at) => {
      if (!(await isEmpty(tx, projectId))) throw notEmpty();
      await projects.change(tx, at, given.project);
      await inBatches(features, (rows) => insertFeatures(tx, into, rows));
      await inBatches(learnings, (rows) => insertLearnings(tx, into, rows));
      await inBatches(decisions, (rows) => insertDecisions(tx, into, rows));
      await indexMissing(tx, projectId);
      at.emit({ type: 'project_imported', data: counts });
      return { projectId, ...counts, at: at.now };
    });
    projects.rulesChanged(projectId);
    return imported;
  }

  return { leave, arrive };
}

const withIds = <T>(rows: T[]): Array<T & { id: string }> => rows.map((row) => ({ ...row, id: Bun.randomUUIDv7() }));

async function inBatches<T>(rows: T[], write: (batch: T[]) => PromiseLike<unknown>): Promise<void> {
  for (let from = 0; from < rows.length; from += BATCH) await write(rows.slice(from, from + BATCH));
}

const notEmpty = () =>
  new AppError(
    'ALREADY_EXISTS',
    'This project has features, learnings or decisions already. Import into a new one: nexus project create.',
    {
      details: { field: 'projectId' },
    },
  );
