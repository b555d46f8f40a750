export type Edit = { file: string; find: string; replace: string };
export type Bug = {
  name: string;
  /** Who must notice. */
  suite: string;
  edits: Edit[];
};

const bug = (name: string, suite: string, file: string, find: string, replace: string): Bug => ({
  name,
  suite,
  edits: [{ file, find, replace }],
});

const server = 'apps/server/src';
const pick = `${server}/features/pick.ts`;
const endings = `${server}/features/endings.ts`;
const holds = `${server}/claims/holds.store.ts`;
const ledger = `${server}/ledger/ledger.ts`;
const recovery = `${server}/recovery/recovery.ts`;
const memory = `${server}/engines/leases/memory.ts`;
const live = `${server}/sessions/live.ts`;
const postgres = `${server}/engines/database/postgres.ts`;

/** Mistakes that somebody could make. Each is planted in a copy of the source, alone, and its suite must notice. */
export const bugs: Bug[] = [
  bug('paths are not looked at again under the lock', 'races', pick, 'requireFree(inWay);', 'void inWay;'),
  bug('a pick trusts the index', 'simulation', pick, 'obstacles(tx, actor.projectId, wanted, actor.session.lineage),', '[],'),
  bug("nobody locks the project's row", 'races', ledger, 'where project_id = ${projectId} for update`', 'where project_id = ${projectId}`'),
  bug(
    'the holder is the engineer, not the session',
    'races',
    holds,
    'where not h.session_id = any(${sql.param(lineage)}::uuid[])',
    'where not h.engineer_id in (select engineer_id from sessions where id = any(${sql.param(lineage)}::uuid[]))',
  ),
  bug(
    'a release frees all that its engineer holds',
    'simulation',
    holds,
    'where id = any(${sql.param(holdIds)}::uuid[]) and ended_ver is null`,',
    'where engineer_id in (select engineer_id from holds where id = any(${sql.param(holdIds)}::uuid[])) and ended_ver is null`,',
  ),
  bug('done and release do not look at the fence', 'zombies', endings, ' || (fence !== undefined && fence !== row.hold.fence)', ''),
  bug('whoever knows the fence may end the hold', 'zombies', endings, '!row.hold.lineage.includes(actor.session.id) || ', ''),
  bug(
    'a lost session may pick',
    'zombies',
    live,
    'if (!(await isLive(tx, session.id))) throw new SessionOver(session.id);',
    'await isLive(tx, session.id);',
  ),
  bug(
    'a pick leaves one of its paths out',
    'simulation',
    pick,
    'feature: brief(row), claims: wanted }',
    'feature: brief(row), claims: wanted.slice(1) }',
  ),
  bug('no grace after the lease', 'simulation', memory, 'clk > session.deadline + graceMs', 'clk > session.deadline'),
  bug(
    'the logical clock may leap',
    'simulation',
    memory,
    'Math.min(Math.max(raw - project.raw, 0), maxStepMs)',
    'Math.max(raw - project.raw, 0)',
  ),
  bug('leases are reckoned on the wall clock', 'simulation', memory, 'const raw = Math.floor(now());', 'const raw = Date.now();'),
  bug(
    'a session is lost without being condemned',
    'simulation',
    recovery,
    'await leases.condemn(projectId, sessionId, options.dead ? { dead: true } : {})',
    "'done' as string",
  ),
  {
    name: 'a session is lost in two transactions',
    suite: 'simulation',
    edits: [
      {
        file: recovery,
        find: "await leave(tx, at, family, { as: 'lost', park: new Set() });\n    });",
        replace: `await closeSessions(tx, family.map(({ id }) => id), at.version(), 'lost');
      at.index.sessionsClosed.push(...family.map(({ id }) => id));
    });
    await ledger.change(by, 'lose', async (tx, at) => free(tx, at, await openHolds(tx, projectId, { session: sessionId }), 'lost'));`,
      },
    ],
  },
  {
    name: 'events are numbered apart from the commit',
    suite: 'simulation',
    edits: [
      {
        file: ledger,
        find: 'next.eventSeq += 1;',
        replace: 'next.eventSeq = Math.max(next.eventSeq, numbers.get(projectId) ?? 0) + 1;\n      numbers.set(projectId, next.eventSeq);',
      },
      { file: ledger, find: 'seq: row.eventSeq + position + 1,', replace: 'seq: next.eventSeq - events.length + position + 1,' },
      { file: ledger, find: 'export const noChanges', replace: 'const numbers = new Map<string, number>();\nexport const noChanges' },
    ],
  },
  {
    name: "a retry's answer is kept after the commit",
    suite: 'ambiguous',
    edits: [
      { file: ledger, find: "if (idempotency && !('system' in by)) writes.push(remember(tx, by, idempotency, result));", replace: '' },
      {
        file: ledger,
        find: 'failpoint(`${verb}.committed`);',
        replace:
          "failpoint(`${verb}.committed`);\n    if (idempotency && !('system' in by)) await remember(database.db, by, idempotency, done.result);",
      },
    ],
  },
  bug('two servers migrate at once', 'migrations', postgres, 'await client`select pg_advisory_lock(${MIGRATION_LOCK})`;', ''),
  bug('an index takes changes from whichever version', 'leases', memory, ' || project.ver !== from.ver) return false;', ') return false;'),
  bug(
    'a load goes back',
    'leases',
    memory,
    'if (old && sameLedger && !(at.ver > old.ver || (refresh && at.ver === old.ver))) return false;',
    '',
  ),
  bug(
    'a late heartbeat revives who was condemned',
    'leases',
    memory,
    "if (session.condemned) return { session: name, state: 'condemned' };",
    '',
  ),
  bug(
    'the case of a path tells claims apart',
    'races',
    'packages/paths/src/fold.ts',
    "pathCase === 'insensitive' ? segment.toLowerCase() : segment",
    'segment',
  ),
  bug(
    'a pattern looks past what lies below a directory',
    'overlap',
    'packages/paths/src/overlap.ts',
    'globsMeet(asGlob(a), asGlob(b))',
    'globsMeet(a.node, b.node)',
  ),
  bug(
    'a reader that comes back starts at the head',
    'feed',
    `${server}/feed/cursor.ts`,
    '{ seq, reset: false } : {',
    '{ seq: head, reset: false } : {',
  ),
  bug(
    'a path that leaves the repository is clamped',
    'paths',
    'packages/paths/src/parse.ts',
    'kept.pop() === undefined) return undefined;',
    '(kept.pop() === undefined && false)) return undefined;',
  ),
  bug(
    "an ancestor's claims are in the way of its child",
    'leases',
    `${server}/engines/leases/claim-index.ts`,
    'const own = new Set(lineage);',
    'const own = new Set(lineage.slice(0, 1));',
  ),
  bug(
    'the base of a glob counts as claimed itself',
    'leases',
    `${server}/engines/leases/claim-index.ts`,
    'bump(counters, claim.node, counterAt[claim.mode], by);',
    'bump(counters, baseOf(claim.node), counterAt[claim.mode], by);',
  ),
  bug(
    'a frame that was not taken counts as sent',
    'feed',
    `${server}/feed/subscriber.ts`,
    "if (outcome === 'blocked') {",
    "if (outcome === 'blocked' && resetDue) {",
  ),
  bug(
    'the logical clock in Redis may leap',
    'leases',
    `${server}/engines/leases/prelude.lua`,
    'math.min(math.max(raw - tonumber(last[1] or raw), 0), tonumber(max_step))',
    'math.max(raw - tonumber(last[1] or raw), 0)',
  ),
];
