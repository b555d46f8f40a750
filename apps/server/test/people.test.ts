import { afterAll, beforeAll, expect, test } from 'bun:test';
import { eventually, onEachEngineSet, readyFeature, startServer, terminal, type TestServer } from './harness.ts';
import { createCrew, type Crew, eventsOf, refusal } from './support.ts';

onEachEngineSet('people', (set) => {
  let server: TestServer;
  let crew: Crew;

  beforeAll(async () => {
    server = await startServer(set);
    crew = await createCrew(server);
  });
  afterAll(() => server.stop());

  const codeOf = async (call: Promise<unknown>) => (await refusal(call)).code;
  const memberIds = async (projectId: string) => (await crew.lead.getProject({ projectId })).members.map(({ engineerId }) => engineerId);

  test('a role is changed at once, and what it no longer allows is refused', async () => {
    const projectId = await crew.project();
    const { id: engineerId } = crew.member.engineer;
    await crew.member.createFeature({ projectId, body: { slug: 'f', title: 'f', spec: '' } });
    expect((await crew.lead.setMemberRole({ projectId, engineerId, body: { role: 'readonly' } })).role).toBe('readonly');
    expect(await codeOf(crew.member.createFeature({ projectId, body: { slug: 'g', title: 'g', spec: '' } }))).toBe('INSUFFICIENT_ROLE');
    await crew.lead.setMemberRole({ projectId, engineerId, body: { role: 'readonly' } });
    const changes = (await eventsOf(crew.lead, projectId)).filter(({ type }) => type === 'member_updated');
    expect(changes.map(({ data }) => data)).toEqual([{ engineerId, name: 'Mem', role: 'readonly', before: 'member' }]);
  });

  test('the last lead can neither leave nor be removed nor demoted', async () => {
    const projectId = await crew.project();
    const { id: engineerId } = crew.lead.engineer;
    for (const call of [
      () => crew.lead.leaveProject({ projectId }),
      () => crew.lead.removeMember({ projectId, engineerId }),
      () => crew.lead.setMemberRole({ projectId, engineerId, body: { role: 'member' } }),
    ])
      expect(await refusal(call())).toMatchObject({ status: 409, code: 'LAST_LEAD' });
    await crew.lead.setMemberRole({ projectId, engineerId: crew.member.engineer.id, body: { role: 'lead' } });
    await crew.lead.leaveProject({ projectId });
    expect(await codeOf(crew.lead.getProject({ projectId }))).toBe('NOT_FOUND');
  });

  test('of two leads that leave at the same time one stays, round after round', async () => {
    for (let round = 0; round < 10; round += 1) {
      const projectId = await crew.project();
      const { id: other } = crew.member.engineer;
      await crew.lead.setMemberRole({ projectId, engineerId: other, body: { role: 'lead' } });
      const left = await Promise.allSettled([
        crew.lead.leaveProject({ projectId }),
        crew.lead.setMemberRole({ projectId, engineerId: other, body: { role: 'member' } }),
        crew.member.leaveProject({ projectId }),
        crew.member.removeMember({ projectId, engineerId: crew.lead.engineer.id }),
      ]);
      expect(left.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
      const inside = (await Promise.allSettled([crew.lead.getProject({ projectId }), crew.member.getProject({ projectId })])).flatMap(
        (result) => (result.status === 'fulfilled' ? [result.value] : []),
      );
      expect(inside[0]?.members.filter(({ role }) => role === 'lead').length).toBeGreaterThan(0);
    }
  });

  test('who is removed loses sessions and holds, parked ones too; nobody else’s work is touched', async () => {
    const projectId = await crew.project();
    for (const slug of ['theirs', 'left', 'mine']) await readyFeature(crew.lead, projectId, slug, [`${slug}/`]);
    const [working, gone, colleague] = await Promise.all([
      terminal(crew.member, projectId),
      terminal(crew.member, projectId),
      terminal(crew.lead, projectId),
    ]);
    await working.pickFeature({ projectId, slug: 'theirs' });
    await working.claim({ projectId, body: { paths: ['one.ts'] } });
    await gone.pickFeature({ projectId, slug: 'left' });
    await gone.endSession({ projectId, sessionId: gone.sessionId, body: { unlanded: ['left'] } });
    await colleague.pickFeature({ projectId, slug: 'mine' });

    const removed = await crew.lead.removeMember({ projectId, engineerId: crew.member.engineer.id });
    expect(removed.interrupted.toSorted()).toEqual(['left', 'theirs']);
    const status = await crew.lead.status({ projectId });
    expect(status.interrupted.map(({ slug }) => slug).toSorted()).toEqual(['left', 'theirs']);
    expect(status.claims.map(({ filePath }) => filePath)).toEqual(['mine/']);
    expect(status.sessions.map(({ id }) => id)).toEqual([colleague.sessionId]);
    expect(await codeOf(working.doneFeature({ projectId, slug: 'theirs' }))).toBe('NOT_FOUND');
    await eventually('no beat renews it', async () => {
      const [beat] = (await crew.member.heartbeats({ body: { sessions: [working.sessionId] } })).sessions;
      return beat?.state === 'over';
    });
    await colleague.resumeFeature({ projectId, slug: 'theirs' });
    const last = (await eventsOf(crew.lead, projectId)).filter(({ type }) => type === 'member_removed');
    expect(last.map(({ data }) => data)).toEqual([{ engineerId: crew.member.engineer.id, name: 'Mem', role: 'member' }]);

    await crew.lead.addMember({ projectId, body: { engineerId: crew.member.engineer.id } });
    expect(await codeOf(working.claim({ projectId, body: { paths: ['two.ts'] } }))).toBe('SESSION_LOST');
    await (await terminal(crew.member, projectId)).claim({ projectId, body: { paths: ['two.ts'] } });
  });

  test('whoever is removed while they pick holds nothing afterwards', async () => {
    for (let round = 0; round < 10; round += 1) {
      const projectId = await crew.project();
      await readyFeature(crew.lead, projectId, 'f', ['f/']);
      await Promise.allSettled([
        crew.member.pickFeature({ projectId, slug: 'f' }),
        crew.member.claim({ projectId, body: { paths: ['x.ts'] } }),
        crew.member.openSession({ projectId, body: { agentSessionId: 'late' } }),
        crew.lead.removeMember({ projectId, engineerId: crew.member.engineer.id }),
      ]);
      const { sessions, claims } = await crew.lead.status({ projectId });
      expect([sessions, claims]).toEqual([[], []]);
    }
  });

  test('no code brings back who was removed: neither the one they came by, nor one that they made', async () => {
    const projectId = await crew.project();
    const guest = await server.engineer('Guest');
    const { code } = await crew.lead.createInvitation({ projectId, body: { role: 'lead' } });
    await guest.acceptInvitation({ body: { code } });
    const own = await guest.createInvitation({ projectId, body: {} });
    await crew.lead.removeMember({ projectId, engineerId: guest.engineer.id });
    for (const given of [code, own.code]) expect(await codeOf(guest.acceptInvitation({ body: { code: given } }))).toBe('FORBIDDEN');
    expect(await memberIds(projectId)).not.toContain(guest.engineer.id);
  });

  test('invitations are listed without their codes, and revoked; a used one is not', async () => {
    const projectId = await crew.project();
    const made = await crew.lead.createInvitation({ projectId, body: { role: 'readonly' } }, { idempotencyKey: 'one-invitation' });
    expect(await crew.lead.createInvitation({ projectId, body: { role: 'readonly' } }, { idempotencyKey: 'one-invitation' })).toEqual(made);
    const other = await crew.lead.createInvitation({ projectId, body: {} });
    const { items } = await crew.lead.listInvitations({ projectId });
    expect(items.map(({ id }) => id)).toEqual([other.id, made.id]);
    expect(JSON.stringify(items)).not.toContain('nxi_');
    await crew.lead.revokeInvitation({ projectId, invitationId: made.id });
    await crew.lead.revokeInvitation({ projectId, invitationId: made.id });
    expect(await codeOf(crew.stranger.acceptInvitation({ body: { code: made.code } }))).toBe('FORBIDDEN');
    await crew.stranger.acceptInvitation({ body: { code: other.code } });
    expect(await codeOf(crew.lead.revokeInvitation({ projectId, invitationId: other.id }))).toBe('INVALID_STATUS_TRANSITION');
    expect((await crew.lead.listInvitations({ projectId })).items).toEqual([]);
    const types = (await eventsOf(crew.lead, projectId)).map(({ type }) => type).filter((type) => /invitation|member/.test(type));
    expect(types.slice(2)).toEqual(['invitation_created', 'invitation_created', 'invitation_revoked', 'member_added']);
  });
});
