import { sql, type SQL } from 'drizzle-orm';
import { MAX_OPEN_PATCHES, type Patch, PATCH_DAYS, type PatchWithDiff } from '@nexus/contract';
import { type Queryable, rows } from '../engines/database/database.ts';
import type { Position } from '../platform/page.ts';

export type Closing = Exclude<Patch['state'], 'open'>;
/** `lineage`: the author's session and its ancestors. `reader`: whose beat tells its fate; null when nobody is there. */
export type PatchRow = Patch & { lineage: string[]; reader: string | null };

/** How long what became of one is told to its author. */
export const TOLD_MS = 600_000;
/** How long a closed one can be looked at. */
const KEPT_DAYS = 90;

const columns = sql`
  p.id, p.project_id as "projectId", p.paths, p.state, p.why, p.base, p.bytes, p.replaces, p.created_at as "createdAt", p.free_at as "freeSince",
  p.closed_at as "closedAt", p.note, p.fence, p.commit, s.lineage,
  jsonb_build_object('engineerId', p.engineer_id, 'engineerName', e.name, 'sessionId', p.session_id, 'agent', s.agent, 'featureSlug', f.slug) as author,
  case when p.closed_engineer is null then null else jsonb_build_object('engineerId', p.closed_engineer, 'engineerName', ce.name,
    'sessionId', p.closed_session, 'agent', cs.agent) end as "closedBy",
  case when s.status = 'active' then s.id else (select h.session_id from holds h where h.id = f.hold_id and h.parked_at is null) end as reader`;
const joins = sql`
  from patches p join engineers e on e.id = p.engineer_id join sessions s on s.id = p.session_id left join features f on f.id = p.feature_id
  left join engineers ce on ce.id = p.closed_engineer left join sessions cs on cs.id = p.closed_session`;

const time = (value: string | null) => value && new Date(value).toISOString();
const clean = <T extends PatchRow>(row: T): T => ({
  ...row,
  createdAt: new Date(row.createdAt).toISOString(),
  freeSince: time(row.freeSince),
  closedAt: time(row.closedAt),
  fence: row.fence === null ? null : Number(row.fence),
});

export const view = ({ lineage: _lineage, reader: _reader, ...patch }: PatchRow): Patch => patch;

async function read(on: Queryable, where: SQL, limit = MAX_OPEN_PATCHES): Promise<PatchRow[]> {
  const found = await rows<PatchRow>(
    on,
    sql`select ${columns} ${joins} where ${where} order by p.created_at desc, p.id desc limit ${limit}`,
  );
  return found.map(clean);
}

const open = sql`p.closed_at is null`;
const isTold = sql`(p.closed_at is null or p.closed_at > now() - make_interval(secs => ${TOLD_MS / 1000}))`;

export const patchById = async (on: Queryable, projectId: string, id: string): Promise<PatchRow | undefined> =>
  (await read(on, sql`p.project_id = ${projectId} and p.id = ${id}`))[0];

export async function diffOf(on: Queryable, id: string): Promise<Pick<PatchWithDiff, 'diff' | 'files'>> {
  const [found] = await rows<Pick<PatchWithDiff, 'diff' | 'files'>>(on, sql`select diff, files from patches where id = ${id}`);
  return found ?? { diff: '', files: [] };
}

/** Newest first. */
export const openPatches = (on: Queryable, projectId: string, limit?: number) =>
  read(on, sql`p.project_id = ${projectId} and ${open}`, limit);

/** Open ones, and those closed a while ago. */
export const recentPatches = (on: Queryable, projectId: string) =>
  read(on, sql`p.project_id = ${projectId} and ${isTold}`, 2 * MAX_OPEN_PATCHES);

export async function countOpen(on: Queryable, projectId: string): Promise<number> {
  const [found] = await rows<{ count: number }>(
    on,
    sql`select count(*)::int as count from patches p where p.project_id = ${projectId} and ${open}`,
  );
  return found?.count ?? 0;
}

export const patchesPage = (
  on: Queryable,
  projectId: string,
  { engineerId, isOpen, after, limit }: { engineerId: string | undefined; isOpen: boolean; after: Position | undefined; limit: number },
) =>
  read(
    on,
    sql`p.project_id = ${projectId} ${isOpen ? sql`and ${open}` : sql``} ${engineerId === undefined ? sql`` : sql`and p.engineer_id = ${engineerId}`}
        ${after ? sql`and (p.created_at, p.id) < (${after.at}::timestamptz, ${after.id}::uuid)` : sql``}`,
    limit,
  );

export const insertPatch = (
  tx: Queryable,
  p: {
    id: string;
    projectId: string;
    engineerId: string;
    sessionId: string;
    featureId: string | null;
    paths: string[];
    files: PatchWithDiff['files'];
    diff: string;
    bytes: number;
    base: string | null;
    why: string | null;
    replaces: string | null;
  },
) =>
  tx.execute(sql`
    insert into patches (id, project_id, engineer_id, session_id, feature_id, paths, files, diff, bytes, base, why, replaces)
    values (${p.id}, ${p.projectId}, ${p.engineerId}, ${p.sessionId}, ${p.featureId}, ${JSON.stringify(p.paths)}::jsonb, ${JSON.stringify(p.files)}::jsonb,
      ${p.diff}, ${p.bytes}, ${p.base}, ${p.why}, ${p.replaces})`);

/** Closes it if it is open; false when another was first. */
export async function closePatch(
  tx: Queryable,
  id: string,
  as: Closing,
  by: { engineerId: string | null; sessionId: string | null; fence?: number; commit?: string | undefined; note?: string | null },
): Promise<boolean> {
  const done = await rows(
    tx,
    sql`update patches set state = ${as}, closed_at = now(), closed_engineer = ${by.engineerId}, closed_session = ${by.sessionId},
          fence = ${by.fence ?? null}, commit = ${by.commit ?? null}, note = ${by.note ?? null}
        where id = ${id} and closed_at is null returning id`,
  );
  return done.length > 0;
}

export const setFree = (tx: Queryable, id: string, isFree: boolean) =>
  tx.execute(sql`update patches set free_at = case when ${isFree}::boolean then now() end where id = ${id}`);

/** Projects in which somebody is to be told of a patch, and how far their events are: while that stands still, so do who holds what and the patches. */
export async function projectsTelling(on: Queryable): Promise<Array<{ projectId: string; seq: number }>> {
  const found = await rows<{ projectId: string; seq: string | number }>(
    on,
    sql`select l.project_id as "projectId", l.event_seq as seq from ledgers l where l.project_id in
          (select p.project_id from patches p where ${open} union select p.project_id from patches p where p.closed_at > now() - make_interval(secs => ${TOLD_MS / 1000}))`,
  );
  return found.map(({ projectId, seq }) => ({ projectId, seq: Number(seq) }));
}

/** Open ones that nobody took up in time. */
export const overdue = (on: Queryable): Promise<Array<{ projectId: string; id: string }>> =>
  rows(
    on,
    sql`select p.project_id as "projectId", p.id from patches p where ${open} and p.created_at < now() - make_interval(days => ${PATCH_DAYS})`,
  );

export const forgetClosed = (on: Queryable) =>
  on.execute(sql`delete from patches where closed_at < now() - make_interval(days => ${KEPT_DAYS})`);
