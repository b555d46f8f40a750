import type { Session } from '@nexus/contract';
import type { SessionRow } from './sessions.store.ts';

/** A session as answers show it. `msLeft` of its lease; undefined while that is not known. */
export function view(row: SessionRow, msLeft: number | undefined): Session {
  const over = row.status !== 'active';
  const now = Date.now();
  return {
    id: row.id,
    projectId: row.projectId,
    engineerId: row.engineerId,
    featureId: row.featureId,
    status: over ? row.status : msLeft !== undefined && msLeft < 0 ? 'stale' : 'active',
    lastHeartbeat: msLeft === undefined ? (row.endedAt ?? row.createdAt) : new Date(Math.min(now, now + msLeft - row.ttlMs)).toISOString(),
    metadata: row.metadata,
    createdAt: row.createdAt,
    parentId: row.parentId,
    agent: row.agent,
    agentSessionId: row.agentSessionId,
    keeper: row.keeper,
    leaseSeconds: row.ttlMs / 1000,
    expiresAt: over || msLeft === undefined ? null : new Date(now + msLeft).toISOString(),
  };
}
