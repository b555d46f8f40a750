import { z } from 'zod';
import { Claim } from './claims.ts';
import { Feature } from './features.ts';
import { Patch } from './patches.ts';
import { Session } from './sessions.ts';
import { Wait } from './waits.ts';

/** Uncommitted in a worktree, and claimed by nobody: somebody works there who asks nobody. */
export const Unattended = z.object({
  worktree: z.string(),
  machine: z.string(),
  /** Whose keeper saw it. */
  engineerName: z.string(),
  paths: z.array(z.string()),
  /** There is more than a keeper reports. */
  more: z.boolean(),
});

export const ProjectStatus = z
  .object({
    activeFeatures: z.array(Feature),
    claims: z.array(Claim),
    sessions: z.array(Session.extend({ engineer: z.object({ id: z.string(), name: z.string(), email: z.string() }) })),
    /** Features whose session was lost: work to take over. */
    interrupted: z.array(Feature),
    /** Who waits for what, first in line first. */
    waiting: z.array(Wait),
    /** Open ones, newest first; at most 50. */
    patches: z.array(Patch),
    /** By worktree of the sessions shown, as their keepers saw it last. */
    unattended: z.array(Unattended),
    /** Edits that guards saw in the sessions shown, and of them those denied. */
    edits: z.object({ tried: z.number().int(), denied: z.number().int() }),
    /** Where the feed stood when this was read: join with it to miss nothing. */
    cursor: z.string(),
  })
  .meta({ id: 'ProjectStatus' });
export type ProjectStatus = z.infer<typeof ProjectStatus>;

export const Health = z
  .object({
    status: z.enum(['ok', 'degraded', 'starting', 'draining', 'unavailable']),
    checks: z.record(z.string(), z.enum(['ok', 'down'])).optional(),
  })
  .meta({ id: 'Health' });

export const Meta = z
  .object({
    name: z.literal('nexus'),
    version: z.string(),
    engines: z.object({ database: z.string(), leases: z.string(), bus: z.string() }),
  })
  .meta({ id: 'Meta' });
