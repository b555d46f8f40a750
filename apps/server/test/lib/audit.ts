import { sql } from 'drizzle-orm';
import type { Client } from '@nexus/client';
import { type Claim, compatible, overlaps, parseClaim } from '@nexus/paths';
import { type Database, type Queryable, rows } from '../../src/engines/database/database.ts';

/** A claim of the past or present; from and to are versions of the ledger, `to` null while it stands. */
type Held = Pick<Claim, 'node' | 'kind' | 'mode'> & { session: string; lineage: string[]; fence: number; from: number; to: number | null };

/** One change, as the feed tells it. */
type Told = { seq: number; type: string; slug: string | null; session: string | null; data: Record<string, unknown> };

/** Test projects keep the default spelling. */
function nodeOf(path: string): Claim {
  const parsed = parseClaim(path);
  if (!parsed.ok) throw new Error(`${path}: ${parsed.message}`);
  return parsed.claim;
}

const nameOf = ({ mode, node, session, fence }: Held) => `${mode} ${node} (session ${session.slice(-6)}, fence ${fence})`;

/** Invariant 1: claims that stand at one moment overlap only if both read, or one session descends from the other. */
function exclusion(all: Held[]): string[] {
  const broken: string[] = [];
  for (const [position, a] of all.entries()) {
    for (const b of all.slice(position + 1)) {
      const together = (a.to === null || a.to > b.from) && (b.to === null || b.to > a.from);
      if (!together || compatible(a.mode, b.mode) || a.lineage.includes(b.session) || b.lineage.includes(a.session)) continue;
      if (overlaps(a, b)) broken.push(`held twice: ${nameOf(a)} beside ${nameOf(b)}`);
    }
  }
  return broken;
}

/** Invariants 3, 4 and 8, from the events alone; also which features they leave held, and under which fence. */
function story(told: Told[]): { broken: string[]; open: Map<string, number> } {
  const broken: string[] = [];
  const open = new Map<string, number>();
  const fences = new Set<number>();
  let greatest = 0;
  for (const [position, { seq, type, slug, session, data }] of told.entries()) {
    if (seq !== position + 1) broken.push(`event ${position + 1} has the number ${seq}`);
    const fence = typeof data['fence'] === 'number' ? data['fence'] : undefined;
    if (fence !== undefined && (type === 'feature_claimed' || type === 'files_claimed') && !fences.has(fence)) {
      if (fence <= greatest) broken.push(`fence ${fence} was given after ${greatest}`);
      greatest = fence;
      fences.add(fence);
    }
    const standing = slug === null ? undefined : open.get(slug);
    if (type === 'feature_claimed' && slug !== null && fence !== undefined) {
      if (standing !== undefined && data['resumed'] !== true)
        broken.push(`${slug} was claimed by ${session} under ${fence} while ${standing} stood`);
      open.set(slug, fence);
    }
    if ((type === 'feature_released' || type === 'feature_completed' || type === 'feature_cancelled') && slug !== null) {
      if (standing !== fence) broken.push(`${type} of ${slug} under ${fence}, while ${standing} stood`);
      open.delete(slug);
    }
  }
  return { broken, open };
}

/** Everything the ledger ever did in this project, against the design's invariants. Empty: all of them hold. */
export const auditLedger = (database: Database, projectId: string): Promise<string[]> =>
  database.transaction(async (tx) => {
    // All of it as of one moment.
    await tx.execute(sql`set transaction isolation level repeatable read`);
    return audit(tx, projectId);
  });

async function audit(db: Queryable, projectId: string): Promise<string[]> {
  const [ledger] = await rows<{ fence: string; ver: string; eventSeq: string }>(
    db,
    sql`select fence, ver, event_seq as "eventSeq" from ledgers where project_id = ${projectId}`,
  );
  const holds = await rows<{
    id: string;
    session: string;
    feature: string | null;
    fence: string;
    from: string;
    to: string | null;
    endedAs: string | null;
    parked: boolean;
    landing: boolean;
    status: string;
    sessionEnd: string | null;
  }>(
    db,
    sql`select h.id, h.session_id as session, h.feature_id as feature, h.fence, h.granted_ver as "from", h.ended_ver as "to", h.ended_as as "endedAs",
          h.parked_at is not null as parked, h.landing_of is not null as landing, s.status, s.ended_ver as "sessionEnd"
        from holds h join sessions s on s.id = h.session_id where h.project_id = ${projectId} order by h.granted_ver, h.fence`,
  );
  const claims = await rows<Omit<Held, 'fence' | 'from' | 'to'> & { hold: string; fence: string; from: string; to: string | null }>(
    db,
    sql`select c.hold_id as hold, c.node, c.kind, c.mode, s.id as session, s.lineage, h.fence, c.granted_ver as "from", c.ended_ver as "to"
        from claims c join holds h on h.id = c.hold_id join sessions s on s.id = h.session_id where c.project_id = ${projectId}`,
  );
  const features = await rows<{ id: string; slug: string; status: string; hold: string | null; touches: string[] }>(
    db,
    sql`select id, slug, status, hold_id as hold, touches from features where project_id = ${projectId}`,
  );
  const events = await rows<{
    seq: string;
    type: string;
    session: string | null;
    payload: { feature: { slug: string } | null; data: Record<string, unknown> };
  }>(db, sql`select seq, type, session_id as session, payload from events where project_id = ${projectId} order by seq`);

  const broken = exclusion(
    claims.map((claim) => ({
      ...claim,
      fence: Number(claim.fence),
      from: Number(claim.from),
      to: claim.to === null ? null : Number(claim.to),
    })),
  );
  const say = (wrong: boolean, what: string) => {
    if (wrong) broken.push(what);
  };

  let greatest = 0;
  for (const hold of holds) {
    const what = `hold ${hold.fence}`;
    say(Number(hold.fence) <= greatest, `${what} came after ${greatest}`);
    greatest = Number(hold.fence);
    say((hold.to === null) !== (hold.endedAs === null), `${what} has ended by half`);
    const over = hold.status !== 'active' && !(hold.parked && (hold.landing || hold.status === 'ended'));
    say(over && (hold.to === null || Number(hold.to) > Number(hold.sessionEnd)), `${what} outlived its session, which is ${hold.status}`);
    for (const claim of claims.filter((other) => other.hold === hold.id)) {
      say(Number(claim.from) < Number(hold.from), `${what} has a claim from before`);
      say(
        hold.to === null ? false : claim.to === null || Number(claim.to) > Number(hold.to),
        `${what} has ended, its claim on ${claim.node} not`,
      );
    }
  }
  say(greatest > Number(ledger?.fence ?? 0), `fence ${greatest} is above the ledger's ${ledger?.fence}`);

  for (const feature of features) {
    const standing = holds.filter(({ feature: of, to }) => of === feature.id && to === null);
    const [hold] = standing;
    say(standing.length > 1, `${feature.slug} has ${standing.length} holds`);
    say((feature.status === 'active') !== (standing.length === 1), `${feature.slug} is ${feature.status} with ${standing.length} holds`);
    say(feature.hold !== (hold?.id ?? null), `${feature.slug} names another hold than the one that stands`);
    if (!hold) continue;
    const nodes = new Set(claims.filter((claim) => claim.hold === hold.id && claim.to === null).map(({ node }) => node));
    for (const touch of feature.touches) {
      say(!nodes.has(nodeOf(touch).node), `${feature.slug} is held without ${touch}`);
    }
  }

  const told = story(
    events.map(({ seq, type, session, payload }) => ({
      seq: Number(seq),
      type,
      session,
      slug: payload.feature?.slug ?? null,
      data: payload.data,
    })),
  );
  broken.push(...told.broken);
  say(events.length !== Number(ledger?.eventSeq ?? 0), `${events.length} events, and the ledger counts ${ledger?.eventSeq}`);
  for (const { slug, id } of features) {
    const fence = holds.find(({ feature, to }) => feature === id && to === null)?.fence;
    say(
      told.open.get(slug) !== (fence === undefined ? undefined : Number(fence)),
      `by its events ${slug} is held under ${told.open.get(slug)}, by the ledger under ${fence}`,
    );
  }
  return broken;
}

/** What a client can see of the same: of the present, and of the whole feed. */
export async function auditAnswers(client: Client, projectId: string): Promise<string[]> {
  const told: Told[] = [];
  for (let after = '0', more = true; more;) {
    const page = await client.events({ projectId, query: { after, limit: 1000 } });
    told.push(
      ...page.items.map(({ seq, type, feature, actor, data }) => ({
        seq,
        type,
        slug: feature?.slug ?? null,
        session: actor.session,
        data,
      })),
    );
    ({ cursor: after, hasMore: more } = page);
  }
  const { activeFeatures, claims, sessions } = await client.status({ projectId });
  const parents = new Map(sessions.map(({ id, parentId }) => [id, parentId]));
  const lineageOf = (id: string | null | undefined): string[] => (id ? [id, ...lineageOf(parents.get(id))] : []);
  const { broken, open } = story(told);
  broken.push(
    ...exclusion(
      claims.map(({ filePath, mode, sessionId, fence }) => ({
        ...nodeOf(filePath),
        mode,
        session: sessionId,
        lineage: lineageOf(sessionId),
        fence,
        from: 0,
        to: null,
      })),
    ),
  );
  for (const { slug, fence } of activeFeatures)
    if (open.get(slug) !== fence) broken.push(`${slug} is held under ${fence}, by its events under ${open.get(slug)}`);
  if (open.size !== activeFeatures.length) broken.push(`${activeFeatures.length} features are active, by the events ${open.size}`);
  for (const claim of claims) {
    if (!claim.parked && !parents.has(claim.sessionId)) broken.push(`${claim.filePath} is held by a session that is over`);
  }
  return broken;
}

/**
 * Where the index that answers checks differs from the ledger: each held path, asked for alone, must be refused. A path
 * that is free is always judged by the ledger, so only what the index lacks can show.
 */
export async function auditIndex(client: Client, projectId: string, { under = '' }: { under?: string } = {}): Promise<string[]> {
  const stranger = client.with({ session: undefined });
  const claims = await stranger.listClaims({ projectId });
  const missing: string[] = [];
  for (const { filePath } of claims.filter((claim) => claim.filePath.startsWith(under))) {
    const { paths } = await stranger.checkClaims({ projectId, body: { paths: [filePath] } });
    if (paths[0]?.state !== 'held') missing.push(`${filePath} is held, and a check says ${paths[0]?.state}`);
  }
  return missing;
}
