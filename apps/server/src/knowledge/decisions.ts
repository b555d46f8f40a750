import type { AddDecisionBody, Decision, DecisionWithChain, ListDecisionsQuery } from '@nexus/contract';
import { z } from 'zod';
import type { Claims } from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Features } from '../features/index.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Actor } from '../platform/actor.ts';
import { AppError, notFound } from '../platform/errors.ts';
import { type Entry, indexEntries, markReplaced } from '../search/index.ts';
import { requireLive } from '../sessions/index.ts';
import { decodeCursor, paged } from '../platform/cursor.ts';
import { chainOf, decisionOf, decisionsPage, insertDecision } from './decisions.store.ts';

export type Decisions = ReturnType<typeof createDecisions>;

const Position = z.int().positive().max(2_147_483_647);

type Needs = { database: Database; ledger: Ledger; features: Features; claims: Claims };

/** What was chosen, and why. Never changed: a later decision replaces it, and the chain of them can be read. */
export function createDecisions({ database, ledger, features, claims }: Needs) {
  async function require(on: Queryable, projectId: string, name: string): Promise<Decision> {
    const found = await decisionOf(on, projectId, name);
    if (!found) throw notFound();
    return found;
  }

  async function add(actor: Actor, body: z.output<typeof AddDecisionBody>): Promise<Decision> {
    return claims.attempt(actor.projectId, () =>
      ledger.change(actor, 'decide', async (tx, at) => {
        if (actor.session) await requireLive(tx, actor.session);
        const feature = body.featureSlug ? await features.require(tx, actor.projectId, body.featureSlug) : undefined;
        const replaced = body.supersedes ? await require(tx, actor.projectId, body.supersedes) : undefined;
        if (replaced?.supersededBy) throw await replacedAlready(tx, actor.projectId, replaced.number, replaced.supersededBy);
        const id = Bun.randomUUIDv7();
        await insertDecision(tx, {
          id,
          projectId: actor.projectId,
          featureId: feature?.id ?? null,
          engineerId: actor.engineer.id,
          sessionId: actor.session?.id ?? null,
          title: body.title,
          decision: body.decision,
          rationale: body.rationale ?? null,
          alternatives: body.alternatives ?? null,
          supersedes: replaced?.id ?? null,
        });
        const decision = await require(tx, actor.projectId, id);
        await indexEntries(tx, actor.projectId, [entryOf(decision)]);
        if (replaced) await markReplaced(tx, actor.projectId, 'decision', replaced.id);
        at.emit({
          type: 'decision_added',
          ...(feature ? { feature: { id: feature.id, slug: feature.slug, title: feature.title } } : {}),
          data: { decisionId: id, number: decision.number, title: body.title, supersedes: decision.supersedes },
        });
        return decision;
      }),
    );
  }

  async function replacedAlready(on: Queryable, projectId: string, number: number, by: string): Promise<AppError> {
    const { id, number: newer, title } = await require(on, projectId, by);
    return new AppError(
      'ALREADY_EXISTS',
      `Decision ${number} was replaced by ${newer} (${title}) already. Read that one; supersede it if yours is another.`,
      { details: { field: 'supersedes', supersededBy: { id, number: newer, title } } },
    );
  }

  async function list(projectId: string, query: z.output<typeof ListDecisionsQuery>) {
    const from = query.cursor === undefined ? undefined : decodeCursor(query.cursor, Position);
    const featureId = query.feature && (await features.require(database.db, projectId, query.feature)).id;
    const of = { featureId, current: query.current === 'true', from, limit: query.limit + 1 };
    return paged(await decisionsPage(database.db, projectId, of), query.limit, ({ number }) => number);
  }

  async function get(projectId: string, name: string): Promise<DecisionWithChain> {
    const decision = await require(database.db, projectId, name);
    return { ...decision, chain: await chainOf(database.db, projectId, decision.id) };
  }

  return { add, list, get };
}

const entryOf = ({ id, featureId, engineerId, title, decision, rationale, alternatives }: Decision): Entry => ({
  kind: 'decision',
  id,
  featureId,
  engineerId,
  title,
  body: [decision, rationale, alternatives].filter(Boolean).join('\n\n'),
});
