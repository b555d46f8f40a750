import { z } from 'zod';
import { PageQuery, Timestamp } from './common.ts';
import { Conflict, Finished } from './errors.ts';
import { Patch } from './patches.ts';
import { Request } from './requests.ts';
import { Wait } from './waits.ts';

const Path = z.string().min(1).max(1100).meta({ description: 'A path as claims name it: src/a.ts, src/auth/, src/*.ts' });

/** What the end of a hold told of its work: what it wrote beside what it had declared. */
export const Written = z
  .object({
    /** How many paths were written. */
    count: z.number().int(),
    /** Written, and claimed by nobody who worked there. */
    undeclared: z.array(z.string()),
    /** Declared for writing, and never written. Empty where not all writes were named. */
    unwritten: z.array(z.string()),
    explanation: z.string().nullable(),
  })
  .meta({ id: 'Written' });
export type Written = z.infer<typeof Written>;

/** A hold of the past or present. */
export const HeldOnce = z
  .object({
    fence: z.number().int(),
    sessionId: z.string(),
    engineerId: z.string(),
    engineerName: z.string(),
    agent: z.string(),
    featureSlug: z.string().nullable(),
    reason: z.string().nullable(),
    /** All that it ever had. */
    paths: z.array(z.string()),
    grantedAt: Timestamp,
    /** Null while it is open. */
    endedAt: Timestamp.nullable(),
    endedAs: z.enum(['released', 'lost', 'forced', 'handed_over']).nullable(),
    parked: z.boolean(),
    /** Null where nobody told. */
    written: Written.nullable(),
  })
  .meta({ id: 'HeldOnce' });
export type HeldOnce = z.infer<typeof HeldOnce>;

export const HistoryQuery = PageQuery.extend({
  /** Holds that had something overlapping it. */
  path: Path.optional(),
  session: z.string().max(64).optional(),
});

export const WhyQuery = z.object({ path: Path });
export const Why = z
  .object({
    path: z.string(),
    heldBy: z.array(Conflict),
    /** First in line first. */
    waiting: z.array(Wait),
    /** Open ones, and those answered a while ago. */
    requests: z.array(Request),
    /** Open ones that change it. */
    patches: z.array(Patch),
    /** The last hold on it that has ended. */
    lastHeld: HeldOnce.nullable(),
    /** The last commit that it was given back at, where one was named. */
    lastCommit: Finished.nullable(),
    /** Who wrote it, as far as the ends of their work told; of the last 30 days, newest first. */
    writtenBy: z.array(
      z.object({
        path: z.string(),
        at: Timestamp,
        engineerName: z.string(),
        agent: z.string(),
        sessionId: z.string(),
        featureSlug: z.string().nullable(),
        fence: z.number().int(),
        declared: z.boolean(),
        explanation: z.string().nullable(),
      }),
    ),
    /** What it has caused in the last 30 days, all that overlaps it taken together. */
    conflicts: z.object({
      /** Picks and claims that were refused for it. */
      refused: z.number().int(),
      /** Edits and checks that were told it is held. */
      denied: z.number().int(),
      lastAt: Timestamp.nullable(),
      blockedMinutes: z.number(),
    }),
  })
  .meta({ id: 'Why' });
export type Why = z.infer<typeof Why>;

export const StatsQuery = z.object({ since: z.iso.datetime({ offset: true }).optional() });

export const Stats = z
  .object({
    since: Timestamp,
    /** Edits that guards saw in sessions alive since then, and of them those denied. */
    edits: z.object({ tried: z.number().int(), denied: z.number().int(), deniedPer100: z.number() }),
    /** Counted by the day, in UTC, and seldom a few too few: a server that is killed loses what it counted in its last seconds. */
    conflictsPrevented: z.object({ refused: z.number().int(), denied: z.number().int() }),
    holds: z.object({
      granted: z.number().int(),
      released: z.number().int(),
      lost: z.number().int(),
      forced: z.number().int(),
      handedOver: z.number().int(),
    }),
    waits: z.object({ begun: z.number().int(), granted: z.number().int(), blockedMinutes: z.number(), longestMinutes: z.number() }),
    requests: z.object({ asked: z.number().int(), yielded: z.number().int(), refused: z.number().int() }),
    /** Declared against actual, of the holds whose end told what was written. */
    writes: z.object({
      holds: z.number().int(),
      written: z.number().int(),
      undeclared: z.number().int(),
      unwritten: z.number().int(),
      /** How many of those holds had undeclared ones. */
      undeclaredHolds: z.number().int(),
    }),
    /** Most contended first. A wait counts its whole time for each path that it was for. */
    hot: z.array(
      z.object({
        path: z.string(),
        refused: z.number().int(),
        denied: z.number().int(),
        blockedMinutes: z.number(),
        holds: z.number().int(),
      }),
    ),
  })
  .meta({ id: 'Stats' });
export type Stats = z.infer<typeof Stats>;
