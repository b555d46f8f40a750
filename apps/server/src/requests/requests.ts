import type { z } from 'zod';
import type { Asked, AskBody, RefuseBody, Request, YieldBody, Yielded } from '@nexus/contract';
import { formatClaim, overlaps } from '@nexus/paths';
import { claimsOf, type Claims, extend, type Hold, obstacles, openHolds, parseTouches, requireFree } from '../claims/index.ts';
import type { Database, Queryable } from '../engines/database/database.ts';
import type { Change, Ledger } from '../ledger/index.ts';
import type { SessionActor } from '../platform/actor.ts';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';
import { liveFamily, requireLive } from '../sessions/index.ts';
import { answer as answerAll, featureOf, release } from './answers.ts';
import { insertRequest, openIn, recent, type RequestRow, setGivesBack, view } from './requests.store.ts';

export type Requests = ReturnType<typeof createRequests>;

type Needs = {
  database: Database;
  ledger: Ledger;
  claims: Claims;
  rules: (projectId: string) => Promise<Rules>;
  /** Ends a parked hold for whoever asks for its paths. */
  unpark: (tx: Queryable, at: Change, hold: Hold) => Promise<void>;
  /** Somebody of this project asks now: beats are to carry it. */
  asked: (projectId: string) => void;
};

/** One session asks another for a path. Nothing is taken from who works on it: it is told, and gives back or says no. */
export function createRequests({ database, ledger, claims, rules, unpark, asked }: Needs) {
  async function ask(actor: SessionActor, body: z.output<typeof AskBody>): Promise<z.output<typeof Asked>> {
    const { projectId, session } = actor;
    const wanted = parseTouches(body.paths, 'paths', await rules(projectId));
    const answer = await claims.attempt(projectId, () =>
      ledger.change(actor, 'request', async (tx, at) => {
        await requireLive(tx, session);
        const [inWay, open] = await Promise.all([obstacles(tx, projectId, wanted, session.lineage), openIn(tx, projectId)]);
        // Nobody is there to answer for what waits to land, and it yields to its landing alone.
        requireFree(inWay.filter(({ held }) => held.hold.landing));
        const parked = new Map(inWay.filter(({ held }) => held.hold.parkedAt).map(({ held }) => [held.hold.id, held.hold]));
        for (const hold of parked.values()) await unpark(tx, at, hold);
        const live = inWay.filter(({ held }) => !held.hold.parkedAt);
        const ids: string[] = [];
        for (const { wanted: path, held } of live) {
          const { hold, claim } = held;
          const before = open.find((one) => one.holdId === hold.id && one.node === claim.node && one.askedBy?.sessionId === session.id);
          // Several of the paths may be in one claim: it is asked for once.
          if (before || ids.length > MOST) {
            if (before) ids.push(before.id);
            continue;
          }
          const back = open.filter((one) => one.askedBy?.sessionId === hold.sessionId && one.holder.sessionId === session.id);
          const givesBack = back.length > 0 ? younger(session.id, hold.sessionId) : null;
          const request = {
            id: Bun.randomUUIDv7(),
            projectId,
            sessionId: session.id,
            engineerId: session.engineerId,
            holdId: hold.id,
            node: claim.node,
            heldPath: formatClaim(claim),
            path: formatClaim(path),
            reason: body.reason ?? null,
            givesBack,
          };
          await insertRequest(tx, request);
          if (givesBack)
            await setGivesBack(
              tx,
              back.map(({ id }) => id),
              givesBack,
            );
          open.push(...(await openIn(tx, projectId)).filter(({ id }) => id === request.id));
          ids.push(request.id);
          at.emit({
            type: 'path_requested',
            ...featureOf(hold),
            data: {
              requestId: request.id,
              path: request.path,
              heldPath: request.heldPath,
              holder: hold.sessionId,
              reason: request.reason,
              givesBack,
            },
          });
        }
        const blocked = new Set(live.map(({ wanted: path }) => path));
        return { free: wanted.filter((path) => !blocked.has(path)).map(formatClaim), ids: [...new Set(ids)] };
      }),
    );
    asked(projectId);
    const told = await recent(database.db, projectId);
    return { free: answer.free, requests: told.filter(({ id }) => answer.ids.includes(id)).map(view) };
  }

  /** The holder, or its ancestor, gives back every claim of its own that covers one of these; what was given back before is no error. */
  async function giveBack(actor: SessionActor, body: z.output<typeof YieldBody>): Promise<Yielded> {
    const { projectId, session } = actor;
    const own = await rules(projectId);
    const paths = parseTouches(body.paths, 'paths', own);
    const keep = parseTouches(body.keep ?? [], 'keep', own);
    const clash = keep.find((kept) => paths.some((path) => overlaps(kept, path)));
    if (clash)
      throw new AppError('VALIDATION_ERROR', `${clash.display} overlaps what is to be given back. Keep only what does not.`, {
        details: { field: 'keep', value: clash.display },
      });
    const answer = await claims.attempt(projectId, () =>
      ledger.change(actor, 'yield', async (tx, at) => {
        await requireLive(tx, session);
        const [released, kept, answered]: [string[], string[], string[]] = [[], [], []];
        for (const hold of await ownHolds(tx, actor)) {
          const held = await claimsOf(tx, [hold.id]);
          const given = held.filter((claim) => paths.some((path) => overlaps(claim, path)));
          if (given.length === 0) continue;
          const stay = keep.filter((claim) => given.some((wider) => overlaps(wider, claim)));
          kept.push(...(await extend(tx, at, hold, stay, hold.lineage, async () => undefined)));
          const done = await release(tx, at, hold, given, 'yielded', null);
          released.push(...done.released);
          answered.push(...done.answered);
        }
        return { released, kept, answered };
      }),
    );
    const told = await recent(database.db, projectId);
    return { released: answer.released, kept: answer.kept, requests: told.filter(({ id }) => answer.answered.includes(id)).map(view) };
  }

  async function refuse(actor: SessionActor, body: z.output<typeof RefuseBody>): Promise<Request[]> {
    const { projectId, session } = actor;
    const paths = parseTouches(body.paths, 'paths', await rules(projectId));
    const ids = await claims.attempt(projectId, () =>
      ledger.change(actor, 'refuse', async (tx, at) => {
        await requireLive(tx, session);
        const [holds, open] = await Promise.all([ownHolds(tx, actor), openIn(tx, projectId)]);
        const held = await claimsOf(
          tx,
          holds.map(({ id }) => id),
        );
        const meant = open.filter((request) =>
          held.some(
            (claim) => claim.holdId === request.holdId && claim.node === request.node && paths.some((path) => overlaps(claim, path)),
          ),
        );
        const bound = meant.find(({ givesBack }) => givesBack === session.id);
        if (bound) throw mustGiveBack(bound);
        await answerAll(tx, at, meant, 'refused', body.reason ?? null);
        return meant.map(({ id }) => id);
      }),
    );
    const told = await recent(database.db, projectId);
    return told.filter(({ id }) => ids.includes(id)).map(view);
  }

  /** A session's own holds and those of its descendants; parked ones are nobody's to answer for. */
  async function ownHolds(tx: Queryable, { projectId, session }: SessionActor): Promise<Hold[]> {
    const family = (await liveFamily(tx, projectId, session.id)).map(({ id }) => id);
    return (await openHolds(tx, projectId, { sessions: family })).filter(({ parkedAt }) => !parkedAt);
  }

  const list = async (projectId: string): Promise<Request[]> => (await recent(database.db, projectId)).map(view);

  return { ask, giveBack, refuse, list };
}

/** One call asks for that many claims at most; a directory may have more in it. */
const MOST = 100;

/** UUIDv7 grows with time. */
const younger = (a: string, b: string) => (a > b ? a : b);

const mustGiveBack = ({ heldPath, askedBy }: RequestRow) =>
  new AppError(
    'INVALID_STATUS_TRANSITION',
    `You and ${askedBy?.engineerName ?? 'another'} (${askedBy?.agent ?? 'agent'}) ask each other, and this session is the younger: commit, then give it back (nexus yield ${heldPath}).`,
    { details: { heldPath } },
  );
