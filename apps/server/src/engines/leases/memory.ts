import { createClaimIndex, type ClaimIndex } from './claim-index.ts';
import type { Beat, HoldEnd, IndexedHold, IndexSnapshot, IndexVersion, LeaseStore, LeaseTimes } from './leases.ts';
import { byFence, compareBytes } from './order.ts';

type Session = { ttlMs: number; deadline: number; condemned: boolean; lost: Array<IndexedHold & { as: HoldEnd }> };
type Project = IndexVersion & { raw: number; clk: number; claims: ClaimIndex; sessions: Map<string, Session> };

/** The reference engine: one process, plain maps. `now` is in milliseconds and may leap; leases do not follow the leap. */
export function createMemoryLeases({ graceMs, maxStepMs, now = () => performance.now() }: LeaseTimes & { now?: () => number }): LeaseStore {
  const projects = new Map<string, Project>();

  /** The logical clock: never back, and at most one step on, whatever `now` did since it was last looked at. */
  function observe(project: Project): number {
    const raw = Math.floor(now());
    project.clk += Math.min(Math.max(raw - project.raw, 0), maxStepMs);
    project.raw = raw;
    return project.clk;
  }

  const isStale = (session: Session, clk: number) => clk > session.deadline + graceMs;

  function startLease(project: Project, id: string, ttlMs: number): boolean {
    const session = project.sessions.get(id);
    if (session?.condemned) return false;
    project.sessions.set(id, { ttlMs, deadline: observe(project) + ttlMs, condemned: false, lost: session?.lost ?? [] });
    return true;
  }

  function grant(project: Project, { sessionsOpened, holdsGranted, claimsGranted }: IndexSnapshot) {
    for (const { id, ttlMs } of sessionsOpened) startLease(project, id, ttlMs);
    for (const hold of holdsGranted) project.claims.grantHold({ ...hold });
    project.claims.grantClaims(claimsGranted);
  }

  function beatOne(project: Project, name: string, keepLost: boolean): Beat {
    const session = project.sessions.get(name);
    if (!session) return { session: name, state: 'unknown' };
    if (session.condemned) return { session: name, state: 'condemned' };
    session.deadline = observe(project) + session.ttlMs;
    const lost = (keepLost ? [...session.lost] : session.lost.splice(0)).sort(byFence);
    return {
      session: name,
      state: 'ok',
      ttlMs: session.ttlMs,
      holds: project.claims.holdsOf(name).map(({ id, label, fence }) => ({ id, label, fence })),
      lost: lost.map(({ id, label, fence, as }) => ({ id, label, fence, as })),
    };
  }

  return {
    async version(id) {
      const project = projects.get(id);
      return project ? { ledger: project.ledger, ver: project.ver } : null;
    },

    async apply(id, from, to, changes) {
      const project = projects.get(id);
      if (!project || project.ledger !== from.ledger || project.ver !== from.ver) return false;
      for (const claim of changes.claimsEnded) project.claims.endClaim(claim);
      for (const { id: hold, as } of changes.holdsEnded) {
        const ended = project.claims.endHold(hold);
        const holder = ended && project.sessions.get(ended.session);
        if (holder && !holder.condemned && as !== 'released') holder.lost.push({ ...ended, as });
      }
      for (const session of changes.sessionsClosed) project.sessions.delete(session);
      grant(project, changes);
      project.ver = to;
      return true;
    },

    async load(id, at, snapshot, { refresh = false } = {}) {
      const old = projects.get(id);
      const sameLedger = old?.ledger === at.ledger;
      if (old && sameLedger && !(at.ver > old.ver || (refresh && at.ver === old.ver))) return false;

      const clock = old ? { raw: old.raw, clk: old.clk } : { raw: Math.floor(now()), clk: 0 };
      const project = { ...at, ...clock, claims: createClaimIndex(), sessions: new Map<string, Session>() };
      grant(project, snapshot);
      if (old && sameLedger) {
        for (const [session, { lost }] of project.sessions) lost.push(...(old.sessions.get(session)?.lost ?? []));
      }
      projects.set(id, project);
      return true;
    },

    async check(id, claims, lineage) {
      const project = projects.get(id);
      return project ? { conflicts: project.claims.conflicts(claims, lineage), covered: project.claims.covered(claims, lineage) } : null;
    },

    async open(id, session, ttlMs) {
      const project = projects.get(id);
      return project ? startLease(project, session, ttlMs) : true;
    },

    async beat(id, sessions, { keepLost = false } = {}) {
      const project = projects.get(id);
      return sessions.map((session) => (project ? beatOne(project, session, keepLost) : { session, state: 'unknown' }));
    },

    async stale(id) {
      const project = projects.get(id);
      if (!project) return [];
      const clk = observe(project);
      const stale = [...project.sessions].filter(([, session]) => session.condemned || isStale(session, clk));
      return stale.map(([session]) => session).sort(compareBytes);
    },

    async condemn(id, sessionId, { dead = false } = {}) {
      const project = projects.get(id);
      if (!project) return 'alive';
      const clk = observe(project);
      const session = project.sessions.get(sessionId);
      if (!session) return 'unknown';
      if (session.condemned) return 'condemned';
      if (!dead && !isStale(session, clk)) return 'alive';
      session.condemned = true;
      return 'done';
    },

    async list(id) {
      const project = projects.get(id);
      if (!project) return [];
      const clk = observe(project);
      const live = [...project.sessions].filter(([, session]) => !session.condemned);
      return live
        .map(([session, { deadline }]) => ({ session, msLeft: deadline - clk }))
        .sort((a, b) => compareBytes(a.session, b.session));
    },

    async ping() {},

    async close() {
      projects.clear();
    },
  };
}
