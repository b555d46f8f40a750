import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { api, type Route, scopes } from '@nexus/contract';
import { onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, eventsOf, type Person, raw } from './support.ts';

type Name = keyof typeof api;
const routes = Object.entries(api) as Array<[Name, Route]>;

type Input = { body?: unknown; query?: string };
/** What a route takes, where who may call it depends on that; `:name` is what the place has of that name. A 400 comes after the caller's rights. */
const inputs: Partial<Record<Name, Input>> = {
  register: { body: { name: 'N', email: 'n@example.org' } },
  acceptInvitation: { body: { code: 'nxi_none' } },
  createKey: { body: { name: 'K', scopes: ['manage'] } },
  createProject: { body: { name: 'P', slug: 'matrix' } },
  updateProject: { body: { name: 'P' } },
  createInvitation: { body: {} },
  setMemberRole: { body: { role: 'member' } },
  openSession: { body: { agentSessionId: 'matrix' } },
  heartbeats: { body: { sessions: ['none'] } },
  createFeature: { body: { slug: 'matrix', title: 'T', spec: '' } },
  updateFeature: { body: { title: 'T' } },
  forceReleaseFeature: { body: { fence: 1, reason: 'R' } },
  checkClaims: { body: { paths: ['a.ts'] } },
  verifyClaims: { body: { paths: ['a.ts'] } },
  claim: { body: { paths: ['a.ts'] } },
  allocate: { body: { kind: 'number', name: 'n' } },
  sendMessage: { body: { to: { feature: 'f' }, payload: 'P' } },
  joinQueue: { body: { paths: ['f.ts'], seconds: 60 } },
  why: { query: '?path=f.ts' },
  requestPaths: { body: { paths: ['g.ts'] } },
  yieldPaths: { body: { paths: ['g.ts'] } },
  refuseRequests: { body: { paths: ['g.ts'] } },
  offerPatch: {
    body: {
      diff: `diff --git a/f.ts b/f.ts\nindex ${'1'.repeat(40)}..${'2'.repeat(40)} 100644\n--- a/f.ts\n+++ b/f.ts\n@@ -1 +1 @@\n-one\n+two\n`,
    },
  },
  saveCheckpoint: { body: { sessionId: ':sessionId', featureId: ':featureId' } },
  latestCheckpoint: { query: '?featureId=:featureId' },
  search: { query: '?q=word' },
  addLearning: { body: { content: 'L' } },
  addNote: { body: { content: 'N' } },
  addDecision: { body: { title: 'T', decision: 'D' } },
  importProject: { body: { format: 'nexus-project/1', project: { name: 'P', policy: {} }, features: [], learnings: [], decisions: [] } },
  reorderRoadmap: { body: { now: ['f'] } },
  moveOnRoadmap: { body: { lane: 'now' } },
};

const file = join(import.meta.dirname, 'authorisation.md');
const legend = `Who may call what, as \`authorisation.test.ts\` finds it; \`NEXUS_TEST_UPDATE=1 npm test -- apps/server/test/authorisation.test.ts\` writes it.

Each cell: with an own id, a foreign one, a random one in the place of the parameter. \`+\` in, \`u\` 401, \`s\` the key lacks the scope,
\`r\` the role does not suffice, \`-\` 404. Of a foreign and a random id the whole answer is the same.
The key of \`unscoped\` is a lead's, with every scope but the route's; \`holder\` is a member whose session holds the feature.
`;
const callers = [
  'anonymous',
  'mistyped',
  'revoked',
  'expired',
  'stranger',
  'admin',
  'unscoped',
  'readonly',
  'member',
  'holder',
  'lead',
] as const;
const filled = (input: Input, at: Record<string, string>) =>
  JSON.parse(JSON.stringify(input).replace(/:(\w+Id)\b/g, (_, name: string) => at[name] ?? 'none')) as Input;

type CallerKind = (typeof callers)[number];

onEachEngineSet('authorisation', (set) => {
  let server: TestServer;
  let people: Record<'lead' | 'member' | 'readonly' | 'stranger' | 'holder' | 'victim' | 'admin' | 'foreigner', Person>;
  let keys: Record<'revoked' | 'expired', string>;
  const without = new Map<string, string>();
  let foreign: Place;

  type Place = Record<string, string>;
  const keyOf = (person: Person) => person.options.apiKey ?? '';

  beforeAll(async () => {
    server = await startServer(set);
    // Whoever registers first is the server's admin, which makes nobody a member.
    const admin = await server.engineer('Admin');
    const [{ lead, member, readonly, stranger }, holder, victim, foreigner] = await Promise.all([
      createCrew(server),
      server.engineer('Holder'),
      server.engineer('Victim'),
      server.engineer('Foreigner'),
    ]);
    people = { lead, member, readonly, stranger, holder, victim, admin, foreigner };
    const [revoked, expired] = [await lead.createKey({ body: { name: 'revoked' } }), await lead.createKey({ body: { name: 'expired' } })];
    await lead.revokeKey({ keyId: revoked.id });
    await server.deps.database.db.execute(sql`update api_keys set expires_at = now() - interval '1 second' where id = ${expired.id}`);
    keys = { revoked: revoked.apiKey, expired: expired.apiKey };
    for (const scope of scopes) {
      const { apiKey } = await lead.createKey({ body: { name: scope, scopes: scopes.filter((one) => one !== scope) } });
      without.set(scope, apiKey);
    }
    inputs.addMember = { body: { email: victim.engineer.email } };
    foreign = await place(foreigner, foreigner, []);
  });
  afterAll(() => server.stop());

  /** One for all places. */
  const spares = new Map<Person, Promise<{ id: string }>>();
  function spareKey(of: Person): Promise<{ id: string }> {
    const spare = spares.get(of) ?? of.createKey({ body: { name: 'spare' } });
    spares.set(of, spare);
    return spare;
  }

  /** A project with one of everything that a path can name. */
  async function place(lead: Person, holder: Person, members: Array<[Person, 'lead' | 'member' | 'readonly']>): Promise<Place> {
    const { id: projectId } = await lead.createProject({ body: { name: 'P', slug: `p-${crypto.randomUUID()}` } });
    for (const [{ engineer }, role] of members) await lead.addMember({ projectId, body: { engineerId: engineer.id, role } });
    await readyFeature(lead, projectId, 'f', ['f.ts']);
    const session = await terminal(holder, projectId);
    const { id: featureId } = await session.pickFeature({ projectId, slug: 'f' });
    const invitation = await lead.createInvitation({ projectId, body: {} });
    const other = await terminal(lead, projectId);
    const wait = await other.joinQueue({ projectId, body: { paths: ['f.ts'] } });
    const message = await lead.sendMessage({ projectId, body: { to: { feature: 'f' }, payload: 'P' } });
    const patch = await other.offerPatch({ projectId, body: inputs.offerPatch?.body as { diff: string } });
    const decision = await lead.addDecision({ projectId, body: { title: 'D', decision: 'D' } });
    return {
      projectId,
      slug: 'f',
      featureId,
      sessionId: session.sessionId,
      engineerId: (members.at(-1)?.[0] ?? lead).engineer.id,
      keyId: (await spareKey(lead)).id,
      invitationId: invitation.id,
      decisionId: decision.id,
      waitId: wait.id,
      messageId: message.id,
      patchId: patch.id,
    };
  }

  function keyFor(caller: CallerKind, { scope }: Route): string | undefined {
    if (caller === 'anonymous') return undefined;
    if (caller === 'mistyped') return `nxp_${'A'.repeat(48)}`;
    if (caller === 'unscoped') return without.get(scope ?? '');
    return caller === 'revoked' || caller === 'expired' ? keys[caller] : keyOf(people[caller]);
  }

  async function call(name: Name, route: Route, caller: CallerKind, at: Place) {
    const path = route.path.replace(/:(\w+)/g, (_, parameter: string) => {
      const id = at[parameter];
      if (id === undefined) throw new Error(`${name}: give place() something that :${parameter} can name.`);
      return id;
    });
    const { body, query = '' } = filled(inputs[name] ?? {}, at);
    const headers: Record<string, string> = caller === 'holder' && route.session ? { 'x-nexus-session': at['sessionId'] ?? '' } : {};
    const said = await raw(server, route.method.toUpperCase(), `/api${path}${query}`, { key: keyFor(caller, route), headers, body });
    return { outcome: outcomeOf(name, said), text: said.text.replace(/"requestId":"[^"]+"/, '') };
  }

  function outcomeOf(name: Name, { status, json }: Awaited<ReturnType<typeof raw>>): string {
    const code = json?.error?.code ?? '';
    if (status >= 500) throw new Error(`${name} answered ${status}`);
    if (status === 401) return 'u';
    if (status === 404) return '-';
    if (code === 'INSUFFICIENT_ROLE') return 'r';
    return code === 'FORBIDDEN' && (json?.error?.details as { needed?: string } | undefined)?.needed ? 's' : '+';
  }

  /** Nothing that reads needs a place of its own. */
  let shared: Promise<Place> | undefined;
  function ownPlace({ method }: Route): Promise<Place> {
    const { lead, holder, member, readonly, victim } = people;
    const make = () =>
      place(lead, holder, [
        [readonly, 'readonly'],
        [member, 'member'],
        [holder, 'member'],
        [victim, 'member'],
      ]);
    return method === 'get' ? (shared ??= make()) : make();
  }

  async function rowsOf(name: Name, route: Route): Promise<string[]> {
    const parameters = [...route.path.matchAll(/:(\w+)/g)].map(([, parameter]) => parameter ?? '');
    // A slug names nothing beyond its project.
    const asked = parameters.filter((parameter) => parameter !== 'slug');
    const rows: string[] = [];
    for (const parameter of asked.length > 0 ? asked : ['']) {
      const cells: string[] = [];
      const own = await ownPlace(route);
      for (const caller of callers) {
        if (caller === 'unscoped' && !route.scope) {
          cells.push('');
          continue;
        }
        const ids = parameter === '' ? [] : [foreign[parameter] ?? '', crypto.randomUUID()];
        const others = await Promise.all(ids.map((id) => call(name, route, caller, { ...own, [parameter]: id })));
        expect([name, caller, others[1]?.text]).toEqual([name, caller, others[0]?.text]);
        const mine = await call(name, route, caller, own);
        cells.push([mine, ...others].map(({ outcome }) => outcome).join(''));
      }
      rows.push([name, route.scope ?? 'open', route.role ?? '', parameter, ...cells].join(' | '));
      await expectNothingDone(name, own, cells);
    }
    return rows;
  }

  /** Who was refused has left no event. */
  async function expectNothingDone(name: Name, { projectId = '' }: Place, cells: string[]) {
    const acted = new Set((await eventsOf(people.lead, projectId)).slice(EVENTS_OF_A_PLACE).map(({ engineer }) => engineer?.id));
    for (const caller of ['stranger', 'admin', 'readonly', 'member', 'holder'] as const) {
      if (cells[callers.indexOf(caller)]?.includes('+')) continue;
      expect([name, caller, acted.has(people[caller].engineer.id)]).toEqual([name, caller, false]);
    }
  }
  /** Four members, a feature that is made, ready and picked, its path, a session, an invitation, a message, a decision, a patch. */
  const EVENTS_OF_A_PLACE = 13;

  test('every route answers every kind of caller as the table in git says', async () => {
    const before = await eventsOf(people.foreigner, foreign['projectId'] ?? '');
    const lines: string[] = [];
    for (const [name, route] of routes) lines.push(...(await rowsOf(name, route)));
    expect(await eventsOf(people.foreigner, foreign['projectId'] ?? '')).toEqual(before);
    const heading = ['route', 'scope', 'role', 'parameter', ...callers].join(' | ');
    const table = `${legend}\n| ${heading} |\n|${'---|'.repeat(4 + callers.length)}\n${lines.map((line) => `| ${line} |`).join('\n')}\n`;
    if (process.env['NEXUS_TEST_UPDATE']) writeFileSync(file, table);
    expect(table.split('\n')).toEqual(readFileSync(file, 'utf8').split('\n'));
  }, 120_000);
});
