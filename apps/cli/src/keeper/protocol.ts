import { join } from 'node:path';
import { z } from 'zod';
import { shortHash } from '../machine.ts';
import { socketsIn } from './sockets.ts';

/** One session to beat for, and the process that it lives as long as. */
export const Registration = z.object({
  server: z.string(),
  apiKey: z.string(),
  projectId: z.string(),
  sessionId: z.string(),
  pid: z.number().int(),
  startTime: z.string(),
  /** What the server said at the start; the first beat may otherwise come too late for a short lease. */
  leaseSeconds: z.number().positive().optional(),
  /** The worktree's git directory, for the lease file beside it. */
  gitDir: z.string().optional(),
  /** The top of that worktree: what the session leaves uncommitted in it is kept when its process dies. */
  worktree: z.string().optional(),
});
export type Registration = z.infer<typeof Registration>;

/** One JSON object a line over the unix socket; each gets one line back. */
export const KeeperRequest = z.discriminatedUnion('op', [
  Registration.extend({ op: z.literal('register') }),
  z.object({ op: z.literal('forget'), sessionId: z.string() }),
  z.object({ op: z.literal('status') }),
  z.object({ op: z.literal('stop') }),
]);
export type KeeperRequest = z.infer<typeof KeeperRequest>;

export const KeptSession = Registration.omit({ apiKey: true, leaseSeconds: true, gitDir: true, worktree: true }).extend({
  state: z.enum(['kept', 'died']),
  lastBeat: z.string().nullable(),
  problem: z.string().nullable(),
});
export type KeptSession = z.infer<typeof KeptSession>;

export const KeeperAnswer = z.object({
  ok: z.boolean(),
  error: z.string().optional(),
  pid: z.number().optional(),
  version: z.string().optional(),
  sessions: z.array(KeptSession).optional(),
});
export type KeeperAnswer = z.infer<typeof KeeperAnswer>;

export type KeeperFiles = { dir: string; socket: string; hookSocket: string; registrations: string; lock: string };

export function keeperFiles(runtimeDir: string): KeeperFiles {
  const elsewhere = join('/tmp', `nexus-${process.getuid?.() ?? 0}-${shortHash(runtimeDir)}`);
  const sockets = socketsIn(runtimeDir) ?? { socket: join(elsewhere, 'k.sock'), hookSocket: join(elsewhere, 'h.sock') };
  return { dir: runtimeDir, ...sockets, registrations: join(runtimeDir, 'keeper.json'), lock: join(runtimeDir, 'keeper.lock') };
}
