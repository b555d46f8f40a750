import { afterAll, beforeAll, expect, test } from 'bun:test';
import { api, type Route } from '@nexus/contract';
import { checkedFetch, routeOf } from './checked-fetch.ts';
import { onEachEngineSet, startServer, type TestServer } from './harness.ts';
import { raw, refusal } from './support.ts';

type Operation = {
  operationId: string;
  summary?: string;
  security?: unknown[];
  parameters?: Array<{ name: string; in: string; required?: boolean }>;
  requestBody?: object;
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
};
type Document = {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; securitySchemes: object };
};

const routes = Object.entries(api) as Array<[keyof typeof api, Route]>;
const templateOf = (route: Route) => `/api${route.path.replace(/:(\w+)/g, '{$1}')}`;

onEachEngineSet('the API description', (set) => {
  let server: TestServer;
  let document: Document;
  let operations: Array<[path: string, method: string, operation: Operation]>;

  beforeAll(async () => {
    server = await startServer(set);
    document = (await raw(server, 'GET', '/api/openapi.json')).json as unknown as Document;
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, string, Operation] => [path, method, operation]),
    );
  });
  afterAll(() => server.stop());

  test('is OpenAPI 3.1, with every part that it needs', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d$/);
    expect(document.info).toMatchObject({ title: 'Nexus', version: '0.0.0-test' });
    expect(document.components.securitySchemes).toMatchObject({ apiKey: { type: 'http', scheme: 'bearer' } });
    expect(new Set(operations.map(([, , { operationId }]) => operationId)).size).toBe(operations.length);
    for (const [path, , { parameters = [], responses, summary }] of operations) {
      expect(path).toStartWith('/api/');
      expect(summary).toBeTruthy();
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect(inPath.map(({ name }) => name).sort()).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '').sort());
      expect(inPath.every(({ required }) => required)).toBe(true);
      expect(new Set(parameters.map((parameter) => `${parameter.in} ${parameter.name}`)).size).toBe(parameters.length);
      for (const [status, { content }] of Object.entries(responses)) {
        expect(status).toMatch(/^[2345]\d\d$/);
        expect(content?.['application/json']?.schema).toBeObject();
      }
    }
  });

  test('every reference in it leads somewhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference ?? '');
    expect(references.length).toBeGreaterThan(20);
    for (const reference of new Set(references)) {
      const target = reference
        .replace(/^#\//, '')
        .split('/')
        .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
      expect([reference, typeof target]).toEqual([reference, 'object']);
    }
  });

  test('it has every route of the contract, with its success, its errors and its key, and no other', () => {
    expect(operations.map(([path, method]) => `${method} ${path}`).sort()).toEqual(
      routes.map(([, route]) => `${route.method} ${templateOf(route)}`).sort(),
    );
    for (const [name, route] of routes) {
      const operation = document.paths[templateOf(route)]?.[route.method];
      expect(operation?.operationId).toBe(name);
      expect(Boolean(operation?.requestBody)).toBe(Boolean(route.body));
      expect(operation?.security).toEqual(route.open ? undefined : [{ apiKey: [] }]);
      const statuses = Object.keys(operation?.responses ?? {});
      expect(statuses).toContain(String(route.status ?? 200));
      if (!route.open) expect(statuses).toContain('401');
      if (route.role) expect(statuses).toContain('404');
      if (route.body) expect(statuses).toEqual(expect.arrayContaining(['400', '413']));
      if (route.method === 'post' && !route.open) expect(statuses).toContain('422');
    }
  });

  test('every route of the contract is served', async () => {
    for (const [name, route] of routes) {
      const { json } = await raw(server, route.method.toUpperCase(), `/api${route.path.replace(/:\w+/g, 'x')}`);
      expect([name, json?.error?.message.includes('no such route') ?? false]).toEqual([name, false]);
    }
  });

  test('the page that shows it, and all that it loads, comes from this server', async () => {
    const page = await raw(server, 'GET', '/api/docs');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
    expect(page.text).not.toMatch(/https?:\/\//);
    expect(page.text).toContain("url: '/api/openapi.json'");
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toStartWith("default-src 'none'");
    expect(policy).not.toMatch(/https?:|\*/);
    const assets = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    expect(assets.length).toBe(2);
    for (const path of assets) {
      const asset = await raw(server, 'GET', path);
      expect([path, asset.status]).toEqual([path, 200]);
      expect(asset.headers.get('content-type')).toMatch(/^text\/(css|javascript)/);
      expect(asset.text.length).toBeGreaterThan(10_000);
    }
  });

  test('errors are problem details for who asks for them', async () => {
    const { status, headers, json } = await raw(server, 'GET', '/api/auth/me', { headers: { accept: 'application/problem+json' } });
    expect([status, headers.get('content-type')]).toEqual([401, 'application/problem+json']);
    expect(json as unknown).toMatchObject({
      type: 'urn:nexus:error:unauthorized',
      title: 'UNAUTHORIZED',
      status: 401,
      instance: '/api/auth/me',
      requestId: headers.get('x-request-id'),
    });
  });

  test('every answer has its own request id and the headers that keep browsers out, whatever its kind', async () => {
    const ids = new Set<string | null>();
    const ask = async (path: string, status: number, type: string, headers: Record<string, string> = {}) => {
      const answer = await raw(server, 'GET', path, { headers });
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([path, status, expect.stringContaining(type)]);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
      expect(answer.headers.get('content-security-policy')).toStartWith("default-src 'none'");
      expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
      ids.add(answer.headers.get('x-request-id'));
    };
    await ask('/api/auth/me', 401, 'application/json');
    await ask('/api/meta', 200, 'application/json');
    await ask('/api/auth/me', 401, 'application/problem+json', { accept: 'application/problem+json' });
    await ask('/api/nothing', 404, 'application/json');
    await ask('/api/metrics', 200, 'text/plain');
    await ask('/api/docs', 200, 'text/html');
    await ask('/api/health', 200, 'application/json', { 'x-request-id': 'chosen-by-caller' });
    expect(ids.size).toBe(7);
    expect(ids).toContain('chosen-by-caller');
    expect(ids).not.toContain(null);
  });

  test('health and metrics answer', async () => {
    for (const path of ['/health', '/api/health', '/api/health/live', '/api/health/ready'])
      expect((await raw(server, 'GET', path)).json as unknown).toMatchObject({ status: 'ok' });
    await raw(server, 'GET', '/api/projects/x/features/secret-slug');
    const { text } = await raw(server, 'GET', '/api/metrics');
    expect(text).toMatch(/^nexus_http_requests_total\{.*route="\/api\/projects\/:projectId\/features\/:slug".*\} \d+$/m);
    expect(text).not.toContain('secret-slug');
  });

  test('every answer of a walk through all routes is what the contract and this description say', async () => {
    const seen = new Map<keyof typeof api, Set<number>>();
    const note = (name: keyof typeof api, status: number) => seen.set(name, (seen.get(name) ?? new Set<number>()).add(status));
    const anonymous = server.anonymous.with({ fetch: checkedFetch(note), retries: 0 });
    const register = async (name: string) => {
      const { apiKey, engineer } = await anonymous.register({ body: { name, email: `${crypto.randomUUID()}@example.org` } });
      return { client: anonymous.with({ apiKey }), engineer };
    };
    const [{ client: lead }, { client: other, engineer }, { client: guest }] = await Promise.all([
      register('Lead'),
      register('Other'),
      register('Guest'),
    ]);

    await anonymous.meta();
    await lead.me();
    const { id: projectId } = await lead.createProject({
      body: { name: 'P', slug: `p-${crypto.randomUUID()}`, repoUrl: 'git@example.org:p.git' },
    });
    const p = { projectId };
    await lead.listProjects();
    await lead.updateProject({ ...p, body: { name: 'Q' } });
    await lead.addMember({ ...p, body: { engineerId: engineer.id } });
    await guest.acceptInvitation({ body: { code: (await lead.createInvitation({ ...p, body: { role: 'readonly' } })).code } });
    await lead.listInvitations(p);
    await lead.revokeInvitation({ ...p, invitationId: (await lead.createInvitation({ ...p, body: {} })).id });
    await lead.setMemberRole({ ...p, engineerId: engineer.id, body: { role: 'member' } });
    await refusal(lead.leaveProject(p));
    const key = await lead.createKey({ body: { name: 'ci', kind: 'service', projectId } });
    await lead.listKeys();
    await refusal(anonymous.with({ apiKey: key.apiKey }).createProject({ body: { name: 'R', slug: 'r' } }));
    await lead.rotateKey({ keyId: key.id });
    await lead.revokeKey({ keyId: key.id });
    await lead.getProject(p);
    await refusal(guest.createFeature({ ...p, body: { slug: 'x', title: 'x', spec: '' } }));

    const { id: sessionId } = await lead.openSession({
      ...p,
      body: { agent: 'claude', agentSessionId: 'a', metadata: { gitBranch: 'b' } },
    });
    const { id: theirs } = await other.openSession({ ...p, body: {} });
    const agent = lead.with({ session: sessionId });
    await lead.activeSessions(p);
    await lead.heartbeat({ ...p, sessionId });
    await lead.heartbeats({ body: { sessions: [sessionId, theirs, 'x'] } });

    for (const slug of ['a', 'b', 'c']) {
      await lead.createFeature({ ...p, body: { slug, title: slug, spec: 's', touches: [`${slug}/`, 'ro:docs/'] } });
      await lead.readyFeature({ ...p, slug });
    }
    await lead.createFeature({ ...p, body: { slug: 'd', title: 'd', spec: '', touches: ['a/x.ts'], dependsOn: ['a'] } });
    await lead.readyFeature({ ...p, slug: 'd' });
    await lead.createFeature({ ...p, body: { slug: 'e', title: 'e', spec: '' } });
    await lead.deleteFeature({ ...p, slug: 'e' });
    const { fence, id: featureId } = await agent.pickFeature({ ...p, slug: 'a' });
    await agent.saveCheckpoint({ ...p, body: { sessionId, featureId, context: { gitBranch: 'b' }, notes: 'n' } });
    await agent.saveCheckpoint({ ...p, body: { sessionId, featureId, context: { gitBranch: 'b' }, type: 'auto_periodic' } });
    await refusal(other.saveCheckpoint({ ...p, body: { sessionId: theirs, featureId } }));
    await other.latestCheckpoint({ ...p, query: { featureId } });
    await refusal(other.pickFeature({ ...p, slug: 'a' }));
    await refusal(other.pickFeature({ ...p, slug: 'd' }));
    await agent.updateFeature({ ...p, slug: 'a', body: { title: 'A', touches: ['a/', 'ro:docs/', 'more.ts'] } });
    await other.availableFeatures(p);
    await lead.listFeatures({ ...p, query: { limit: 2 } });
    await lead.roadmap(p);
    await lead.reorderRoadmap({ ...p, body: { now: ['d'], next: ['c', 'b'] } });
    await lead.moveOnRoadmap({ ...p, slug: 'c', body: { lane: 'next', after: 'b' } });
    await refusal(lead.moveOnRoadmap({ ...p, slug: 'c', body: { lane: 'next', after: 'd' } }));
    await other.pickNext(p);
    await other.pickNext(p);
    await refusal(other.pickNext(p));
    await agent.claim({ ...p, body: { paths: ['x.ts', 'ro:y/'] } });
    await refusal(other.claim({ ...p, body: { paths: ['x.ts'] } }));
    await other.checkClaims({ ...p, body: { paths: ['x.ts', 'free.ts', 'b/1'] } });
    await other.verifyClaims({ ...p, body: { paths: ['x.ts', 'free.ts', 'b/1'], fence: fence ?? 0 } });
    await agent.refreshClaims({ ...p, body: { paths: ['x.ts', 'z.ts'] } });
    await agent.listClaims(p);
    await agent.myClaims(p);
    await agent.releaseClaims(p);
    await lead.status(p);
    await other.cancelFeature({ ...p, slug: 'b' });
    await other.releaseFeature({ ...p, slug: 'c' });
    await lead.forceReleaseFeature({ ...p, slug: 'a', body: { fence: fence ?? 0, reason: 'r' } });
    await refusal(agent.doneFeature({ ...p, slug: 'a', body: { fence: fence ?? 0 } }));
    await lead.heartbeat({ ...p, sessionId });
    await agent.resumeFeature({ ...p, slug: 'a' });
    await lead.endSession({ ...p, sessionId, body: { unlanded: ['a'] } });
    await lead.status(p);
    await refusal(agent.doneFeature({ ...p, slug: 'a' }));
    await other.resumeFeature({ ...p, slug: 'a' });
    await other.doneFeature({ ...p, slug: 'a' });
    await other.landedFeature({ ...p, slug: 'a' });
    await lead.getFeature({ ...p, slug: 'a' });
    await other.allocate({ ...p, body: { kind: 'port' } });
    await other.allocate({ ...p, body: { kind: 'port' } });
    await other.allocate({ ...p, body: { kind: 'number', name: 'n' } });
    await lead.listAllocations({ ...p });
    const { id: waitId } = await lead.joinQueue({ ...p, body: { paths: ['waited/'] } });
    await lead.listWaits(p);
    await lead.getWait({ ...p, waitId });
    await lead.leaveQueue({ ...p, waitId });
    await refusal(agent.requestPaths({ ...p, body: { paths: ['x'] } }));
    await other.requestPaths({ ...p, body: { paths: ['waited/x', 'nobody/'] } });
    await lead.listRequests(p);
    await lead.why({ ...p, query: { path: 'waited/x' } });
    await lead.history({ ...p, query: { limit: 2 } });
    await lead.stats(p);
    const diff = `diff --git a/waited/x b/waited/x\nnew file mode 100644\nindex ${'0'.repeat(40)}..${'1'.repeat(40)}\n`;
    const [taken, refused, withdrawn] = [1, 2, 3].map(() => other.offerPatch({ ...p, body: { diff } }));
    await lead.patchApplied({ ...p, patchId: (await taken)?.id ?? '' });
    await refusal(other.rejectPatch({ ...p, patchId: (await refused)?.id ?? '' }));
    await lead.rejectPatch({ ...p, patchId: (await refused)?.id ?? '' });
    await other.withdrawPatch({ ...p, patchId: (await withdrawn)?.id ?? '' });
    await lead.getPatch({ ...p, patchId: (await taken)?.id ?? '' });
    await lead.listPatches({ ...p, query: { state: 'any' } });
    await lead.refuseRequests({ ...p, body: { paths: ['waited/'] } });
    await lead.yieldPaths({ ...p, body: { paths: ['waited/x'], keep: ['waited/y'] } });
    await lead.endSession({ ...p, sessionId, body: {} });
    await lead.addLearning({ ...p, slug: 'a', body: { content: 'L', kind: 'pitfall', tags: ['t'] } });
    await lead.listLearnings({ ...p, slug: 'a' });
    await lead.addNote({ ...p, body: { content: 'N' } });
    await lead.listNotes({ ...p, query: { scope: 'project' } });
    await lead.addDecision({ ...p, body: { title: 'D', decision: 'D', featureSlug: 'a' } });
    await lead.addDecision({ ...p, body: { title: 'E', decision: 'E', supersedes: '1' } });
    await lead.listDecisions({ ...p, query: { current: 'true' } });
    await lead.getDecision({ ...p, decisionId: '1' });
    await lead.search({ ...p, query: { q: 'L' } });
    const message = await other.sendMessage({ ...p, body: { to: { project: true }, payload: 'hello', deadlineSeconds: 60 } });
    await lead.listMessages({ ...p, query: { box: 'project' } });
    await refusal(guest.acknowledgeMessage({ ...p, messageId: message.id }));
    await lead.acknowledgeMessage({ ...p, messageId: message.id });
    await lead.removeMember({ ...p, engineerId: engineer.id });
    const { id: empty } = await lead.createProject({ body: { name: 'Empty', slug: 'empty' } });
    await lead.importProject({ projectId: empty, body: await lead.exportProject({ ...p }) });
    await lead.events({ ...p, query: { after: '0' } });
    await lead.wsTicket({ body: { projectId } });

    expect(routes.map(([name]) => name).filter((name) => !seen.has(name))).toEqual([]);
    for (const [name, statuses] of seen) {
      const described = Object.keys(document.paths[templateOf(api[name])]?.[api[name].method]?.responses ?? {}).map(Number);
      expect([name, [...statuses].filter((status) => !described.includes(status))]).toEqual([name, []]);
    }
  });

  test('the checking fetch tells routes apart', () => {
    expect(routeOf('GET', '/api/projects/1/features/available')?.name).toBe('availableFeatures');
    expect(routeOf('GET', '/api/projects/1/features/a')?.name).toBe('getFeature');
    expect(routeOf('PUT', '/api/projects')).toBeUndefined();
  });
});
