import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { Client } from '@nexus/client';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startServer, type TestServer } from '../../server/test/harness.ts';
import { parseClaude, renderClaude } from '../src/hook/claude.ts';
import { type Machine, makeFolder, makeMachine, makeRepository } from './lib/hook-world.ts';

/** What is printed for a payload where nobody else holds a thing, and where Bob holds what it is about. Empty: no objection. */
type Answer = { free: RegExp; held: RegExp; claims?: string };

const nothing = /^$/;
const silent: Answer = { free: nothing, held: nothing };
const denied =
  /^\{"hookSpecificOutput":\{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"\w+\.ts is claimed by Bob \(/;
const guarded = (path: string): Answer => ({ free: nothing, held: denied, claims: path });
const told: Answer = {
  free: /^\{"hookSpecificOutput":\{"hookEventName":"SessionStart","additionalContext":"Nexus .*Nobody else holds anything/,
  held: /^\{"hookSpecificOutput":\{"hookEventName":"SessionStart","additionalContext":"Nexus .*Held by others \(3 paths\):.*Bob/,
};

/** A recording without an answer in this file fails. */
const unknown: Answer = { free: /^an answer$/, held: /^an answer$/ };

const answers: Record<string, Answer> = {
  cwdchanged: silent,
  'posttooluse-bash': silent,
  'posttooluse-edit': silent,
  'posttooluse-write': silent,
  'posttooluse-write-subagent': silent,
  'posttoolusefailure-bash': silent,
  precompact: silent,
  'pretooluse-bash': silent,
  'pretooluse-edit': guarded('free.ts'),
  'pretooluse-write': guarded('held.ts'),
  'pretooluse-write-subagent': guarded('sub.ts'),
  'sessionend-other': silent,
  'sessionstart-compact': told,
  'sessionstart-resume': told,
  'sessionstart-startup': told,
  stop: silent,
  'subagentstart-subagent': silent,
  'subagentstop-subagent': silent,
  userpromptsubmit: silent,
};

const folder = join(import.meta.dirname, '../src/hook/fixtures/claude/recorded');
let server: TestServer;
let lead: Client;
let bob: Client;
let projectId: string;
let place: { dir: string; remove: () => void };
let here: Machine;

beforeAll(async () => {
  server = await startServer('embedded', { REGISTRATION: 'open' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  ({ projectId, lead } = await server.project());
  bob = await server.engineer('Bob');
  await lead.addMember({ projectId, body: { engineerId: (await bob.me()).id } });
  place = makeFolder();
  makeRepository(join(place.dir, 'repo'), { server: server.url, projectId, slug: 'p' });
  here = makeMachine({ server, client: lead, home: join(place.dir, 'ann') });
});
afterEach(() => {
  here.stop();
  place.remove();
});

/** The payload as it was recorded, in this repository, through the whole handler. */
async function replay(file: string): Promise<string> {
  const text = readFileSync(join(folder, file), 'utf8').replaceAll('/repo', join(place.dir, 'repo'));
  const event = parseClaude(text);
  if (event === undefined) throw new Error(`${file} is not understood.`);
  const env = { ...here.env, CLAUDE_PID: String(process.pid) };
  return renderClaude(event, await here.handle(event, { pid: process.pid, env }));
}

for (const file of readdirSync(folder)) {
  const kind = file.replace('.json', '');
  test(`what Claude Code sent is answered as it should be: ${kind}`, async () => {
    const { held, free, claims = '' } = answers[kind] ?? unknown;
    const paths = ['held.ts', 'free.ts', 'sub.ts'];
    await bob.claim({ projectId, body: { paths } });
    expect(await replay(file)).toMatch(held);
    await bob.releaseClaims({ projectId, body: { paths } });
    expect(await replay(file)).toMatch(free);
    expect((await lead.listClaims({ projectId })).map(({ filePath }) => filePath).join()).toBe(claims);
  });
}
