import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { rows } from '../src/engines/database/database.ts';
import { onEachEngineSet, startServer, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, raw, refusal } from './support.ts';

const email = () => `${crypto.randomUUID()}@example.org`;

onEachEngineSet('auth', (set) => {
  let server: TestServer;
  let crew: Crew;
  const lines: string[] = [];

  beforeAll(async () => {
    server = await startServer(set, { LOG_LEVEL: 'trace' }, { onLog: (line) => lines.push(line) });
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());

  const keyOf = (person: { options: { apiKey?: string | undefined } }) => person.options.apiKey ?? '';
  const me = (authorization?: string) =>
    raw(server, 'GET', '/api/auth/me', authorization === undefined ? {} : { headers: { authorization } });

  describe('keys', () => {
    test('have a typed prefix, 48 characters and a checksum, and belong to who registered', async () => {
      expect(keyOf(crew.lead)).toMatch(/^nxp_[0-9A-Za-z]{48}$/);
      expect(await crew.lead.me()).toMatchObject({
        ...crew.lead.engineer,
        key: { prefix: keyOf(crew.lead).slice(0, 16), kind: 'engineer', projectId: null },
      });
      expect((await me(`bearer  ${keyOf(crew.lead)} `)).status).toBe(200);
    });

    test('are refused with 401 when missing, malformed, mistyped or unknown', async () => {
      const key = keyOf(crew.lead);
      const last = key.at(-1) === 'A' ? 'B' : 'A';
      const missing = ['', 'Basic abc', 'Bearer', key].map((header) => [header, 'UNAUTHORIZED']);
      const invalid = [
        'Bearer x',
        `Bearer ${key}x`,
        `Bearer ${key.slice(0, -1)}${last}`,
        `Bearer ${key.toLowerCase()}`,
        `Bearer ${'A'.repeat(5000)}`,
      ];
      for (const [header = '', code] of [...missing, ...invalid.map((line) => [line, 'INVALID_API_KEY'])]) {
        const { status, json, headers } = await me(header);
        expect([header, status, json?.error?.code]).toEqual([header, 401, code]);
        expect(headers.get('www-authenticate')).toStartWith('Bearer');
      }
      expect((await me()).json?.error?.code).toBe('UNAUTHORIZED');
    });

    test('a revoked or expired one is refused at its next use in a fresh process', async () => {
      const [revoked, expired] = await Promise.all([server.engineer(), server.engineer()]);
      await server.deps.database.db.execute(sql`update api_keys set revoked_at = now() where engineer_id = ${revoked.engineer.id}`);
      await server.deps.database.db.execute(
        sql`update api_keys set expires_at = now() - interval '1 second' where engineer_id = ${expired.engineer.id}`,
      );
      for (const person of [revoked, expired]) expect((await refusal(person.me())).code).toBe('INVALID_API_KEY');
    });

    test('and codes are in no log line and in no table', async () => {
      const projectId = await crew.project();
      const invitation = await crew.lead.createInvitation({ projectId, body: {} });
      await refusal(server.anonymous.with({ apiKey: `${keyOf(crew.lead)}x` }).me());
      await refusal(server.anonymous.register({ body: { name: 'X', email: crew.lead.engineer.email, invite: keyOf(crew.lead) } }));
      server.deps.log.error({ apiKey: keyOf(crew.lead), err: new Error(`with ${keyOf(crew.member)} in it`) }, 'as a mistake would');
      expect(lines.join('')).toContain('as a mistake would');
      const tables = await rows<{ name: string }>(
        server.deps.database.db,
        sql`select table_name as name from information_schema.tables where table_schema = 'public'`,
      );
      const stored = await Promise.all(
        tables.map(({ name }) =>
          rows<{ text: string }>(server.deps.database.db, sql`select t::text as text from ${sql.identifier(name)} t`),
        ),
      );
      const everything = [...lines, ...stored.flat().map(({ text }) => text)].join('\n');
      expect(everything.length).toBeGreaterThan(1000);
      for (const secret of [invitation.code, ...[crew.lead, crew.member, crew.stranger].map(keyOf)]) {
        expect(everything).not.toContain(secret.slice(16, 46));
      }
    });
  });

  describe('registering', () => {
    test('an email is registered once, whatever its case', async () => {
      const address = email();
      const registered = await server.anonymous.register({ body: { name: ' Ann ', email: address.toUpperCase() } });
      expect(registered.engineer).toEqual({ id: expect.any(String), name: 'Ann', email: address });
      expect(registered.projectId).toBeNull();
      expect(await refusal(server.anonymous.register({ body: { name: 'B', email: address } }))).toMatchObject({
        code: 'ALREADY_EXISTS',
        details: { field: 'email' },
      });
    });

    test('the first engineer of a server is its admin, the next ones are not', async () => {
      const roles = await Promise.all(
        [crew.lead, crew.member, crew.readonly, crew.stranger, await server.engineer()].map(async (person) => (await person.me()).role),
      );
      expect(roles.filter((role) => role === 'admin')).toHaveLength(1);
      expect(roles.at(-1)).toBe('engineer');
    });

    test('with an invitation one is in its project, as what it says', async () => {
      const projectId = await crew.project();
      const { code } = await crew.lead.createInvitation({ projectId, body: { role: 'readonly' } });
      expect(code).toMatch(/^nxi_[0-9A-Za-z]{48}$/);
      const { apiKey, projectId: joined } = await server.anonymous.register({ body: { name: 'N', email: email(), invite: code } });
      expect(joined).toBe(projectId);
      const newcomer = server.anonymous.with({ apiKey });
      expect((await newcomer.getProject({ projectId })).members.find(({ name }) => name === 'N')?.role).toBe('readonly');
      expect((await refusal(newcomer.createFeature({ projectId, body: { slug: 'f', title: 'f', spec: '' } }))).code).toBe(
        'INSUFFICIENT_ROLE',
      );
    });
  });

  describe('invitations', () => {
    const invite = async (body: { role?: 'lead' | 'member' | 'readonly'; email?: string } = {}) => {
      const projectId = await crew.project();
      return crew.lead.createInvitation({ projectId, body });
    };

    test('are accepted by who has a key already, and once more by the same is the same', async () => {
      const { code, projectId } = await invite({ role: 'lead' });
      const accepted = await crew.stranger.acceptInvitation({ body: { code } });
      expect(accepted).toEqual({ projectId, engineerId: crew.stranger.engineer.id, role: 'lead' });
      expect(await crew.stranger.acceptInvitation({ body: { code } })).toEqual(accepted);
      expect((await refusal(crew.readonly.acceptInvitation({ body: { code } }))).code).toBe('FORBIDDEN');
      expect((await crew.stranger.getProject({ projectId })).id).toBe(projectId);
    });

    test('take nothing away from who is in with a higher role', async () => {
      const { code, projectId } = await invite({ role: 'readonly' });
      await crew.member.acceptInvitation({ body: { code } });
      expect(
        (await crew.lead.getProject({ projectId })).members.find(({ engineerId }) => engineerId === crew.member.engineer.id)?.role,
      ).toBe('member');
    });

    test('work once: of ten that use one at the same time, one is in', async () => {
      const { code, projectId } = await invite();
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, at) => server.anonymous.register({ body: { name: `N${at}`, email: email(), invite: code } })),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { code: string }).code] : []))).toEqual(
        Array.from({ length: 9 }, () => 'FORBIDDEN'),
      );
      expect((await crew.lead.getProject({ projectId })).members).toHaveLength(4);
    });

    test('are refused with one answer when used, expired, meant for another, mistyped or unknown', async () => {
      const bound = await invite({ email: email() });
      const late = await invite();
      await server.deps.database.db.execute(sql`update invitations set expires_at = now() - interval '1 second' where id = ${late.id}`);
      const used = await invite();
      await crew.stranger.acceptInvitation({ body: { code: used.code } });
      const answers = new Set<string>();
      for (const code of [bound.code, late.code, used.code, bound.code.replace(/.$/, '_'), `nxi_${'A'.repeat(48)}`, keyOf(crew.lead), '']) {
        for (const call of [
          () => server.anonymous.register({ body: { name: 'N', email: email(), invite: code } }),
          () => crew.readonly.acceptInvitation({ body: { code } }),
        ]) {
          const { status, message } = await refusal(call());
          answers.add(`${status} ${message}`);
        }
      }
      expect([...answers]).toEqual([expect.stringContaining('403 Registration was refused')]);
    });

    test('one that is bound to an email works for that one, in any case', async () => {
      const address = email();
      const { code, projectId } = await invite({ email: address });
      expect((await server.anonymous.register({ body: { name: 'N', email: address.toUpperCase(), invite: code } })).projectId).toBe(
        projectId,
      );
    });
  });

  describe('members', () => {
    test('are added by id or email, once; who is added is in at once', async () => {
      const { id: projectId } = await crew.lead.createProject({ body: { name: 'P', slug: `p-${crypto.randomUUID()}` } });
      expect((await refusal(crew.member.getProject({ projectId }))).code).toBe('NOT_FOUND');
      await crew.lead.addMember({ projectId, body: { email: crew.member.engineer.email.toUpperCase() } });
      await crew.member.getProject({ projectId });
      expect((await crew.member.listProjects()).map(({ id }) => id)).toContain(projectId);
      expect((await refusal(crew.lead.addMember({ projectId, body: { engineerId: crew.member.engineer.id, role: 'lead' } }))).code).toBe(
        'ALREADY_EXISTS',
      );
      for (const body of [{ engineerId: crypto.randomUUID() }, { engineerId: 'x' }, { email: email() }]) {
        expect((await refusal(crew.lead.addMember({ projectId, body }))).code).toBe('NOT_FOUND');
      }
      const added = (await eventsOf(crew.lead, projectId)).filter(({ type }) => type === 'member_added');
      expect(added.map(({ data }) => data)).toEqual([{ engineerId: crew.member.engineer.id, name: 'Mem', role: 'member' }]);
    });

    test('two owners may have projects of one slug; one owner may not', async () => {
      const slug = `same-${crypto.randomUUID()}`;
      const [mine, theirs] = await Promise.all(
        [crew.lead, crew.stranger].map((owner) => owner.createProject({ body: { name: 'P', slug } })),
      );
      expect(mine?.id).not.toBe(theirs?.id ?? '');
      expect((await refusal(crew.lead.createProject({ body: { name: 'P', slug } }))).code).toBe('ALREADY_EXISTS');
      expect((await crew.lead.listProjects()).filter((project) => project.slug === slug).map(({ id }) => id)).toEqual([mine?.id ?? '']);
    });
  });
});

onEachEngineSet('registration', (set) => {
  const register = (server: TestServer, extra: { invite?: string; setupCode?: string } = {}) =>
    server.anonymous.register({ body: { name: 'N', email: email(), ...extra } });

  /** The first engineer of a server, with an invitation to their project. */
  async function founded(server: TestServer, extra: { setupCode?: string } = {}) {
    const { apiKey } = await register(server, extra);
    const founder = server.anonymous.with({ apiKey });
    const { id: projectId } = await founder.createProject({ body: { name: 'P', slug: 'p' } });
    return { founder, code: (await founder.createInvitation({ projectId, body: {} })).code };
  }

  test('invite: the first registers freely on loopback, the others by invitation', async () => {
    const server = await startServer(set, { REGISTRATION: 'invite' });
    const { founder, code } = await founded(server);
    expect((await founder.me()).role).toBe('admin');
    expect(await refusal(register(server))).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    const known = (await founder.me()).email;
    expect((await refusal(server.anonymous.register({ body: { name: 'N', email: known, invite: code } }))).code).toBe('FORBIDDEN');
    await register(server, { invite: code });
    await server.stop();
  });

  test('closed: nobody registers any more, not even with an invitation', async () => {
    const server = await startServer(set, { REGISTRATION: 'closed' });
    const { code } = await founded(server);
    expect((await refusal(register(server))).code).toBe('FORBIDDEN');
    expect((await refusal(register(server, { invite: code }))).code).toBe('FORBIDDEN');
    await server.stop();
  });

  test('beyond loopback the first needs the setup code; it works once, and of ten at once for one', async () => {
    const server = await startServer(set, { HOST: '0.0.0.0', LIMIT_REGISTER: '0' });
    const setupCode = server.deps.setupCode ?? '';
    expect(setupCode.length).toBeGreaterThan(8);
    expect((await refusal(register(server))).message).toContain('setup code');
    expect((await refusal(register(server, { setupCode: `${setupCode}x` }))).code).toBe('FORBIDDEN');
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => register(server, { setupCode })));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await refusal(register(server, { setupCode }))).code).toBe('FORBIDDEN');
    await server.stop();
  });

  test('limits: 429 with Retry-After and RateLimit, by key and class; bad keys by address', async () => {
    const server = await startServer(set, { LIMIT_CLAIM: '2', LIMIT_READ: '50', LIMIT_AUTH_FAILURES: '3' });
    const { projectId, lead } = await server.project();
    const other = await server.engineer();
    await lead.addMember({ projectId, body: { engineerId: other.engineer.id } });
    const claim = (person: typeof lead) =>
      raw(server, 'POST', `/api/projects/${projectId}/claims`, { key: person.options.apiKey, body: { paths: ['a.ts'] } });
    const [first, second, third] = [await claim(lead), await claim(lead), await claim(lead)];
    expect([first.status, second.status, third.status]).toEqual([201, 201, 429]);
    expect(first.headers.get('ratelimit-policy')).toBe('"claim";q=2;w=60');
    expect([first, second, third].map(({ headers }) => /r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1])).toEqual(['1', '0', '0']);
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(third.json?.error?.code).toBe('RATE_LIMITED');
    expect((await claim(other)).status).toBe(409);
    await lead.listClaims({ projectId });
    const bad = () => raw(server, 'GET', '/api/auth/me', { key: 'nxp_bad' });
    const statuses = [];
    for (let count = 0; count < 4; count += 1) statuses.push((await bad()).status);
    expect(statuses).toEqual([401, 401, 401, 429]);
    expect(Number((await bad()).headers.get('retry-after'))).toBeGreaterThan(0);
    await server.stop();
  });
});
