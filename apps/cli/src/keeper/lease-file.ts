import { rmSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { writeJson } from '../files.ts';
import { bootId } from '../machine.ts';

/**
 * Until when a session may write without asking: short of the server's own deadline, so that the agent stops before
 * anybody else may start. In wall time and in time since boot, because either alone can be turned back or stand still.
 */
export type Lease = { sessionId: string; validUntil: string; validUntilUptime: number; bootId: string };

export type Clock = { wall: number; uptime: number };
export const clock = (): Clock => ({ wall: Date.now(), uptime: uptime() });

/** `sent` is when the beat left, not when its answer came: the server's lease began between the two. */
export function leaseOf(sessionId: string, sent: Clock, leaseSeconds: number): Lease {
  const seconds = leaseSeconds - Math.max(leaseSeconds / 10, Math.min(2, leaseSeconds / 3));
  return {
    sessionId,
    validUntil: new Date(sent.wall + seconds * 1000).toISOString(),
    validUntilUptime: sent.uptime + seconds,
    bootId: bootId(),
  };
}

/** Both clocks must agree that it runs. */
export const isValid = (lease: Lease, { wall, uptime }: Clock): boolean =>
  wall < Date.parse(lease.validUntil) && uptime < lease.validUntilUptime;

const leasePath = (gitDir: string, sessionId: string): string => join(gitDir, 'nexus', `lease-${sessionId.replace(/[^\w-]/g, '_')}.json`);

export function writeLease(gitDir: string, lease: Lease): void {
  try {
    writeJson(leasePath(gitDir, lease.sessionId), lease, { secret: true });
  } catch {
    // The worktree may be gone or read-only; without the file the guard asks the server.
  }
}

export function removeLease(gitDir: string, sessionId: string): void {
  rmSync(leasePath(gitDir, sessionId), { force: true });
}
