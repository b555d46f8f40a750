import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseClaude } from './claude.ts';

// Written by `bun run test:clients --record`: what the real program sent.
const folder = join(import.meta.dirname, 'fixtures', 'claude', 'recorded');
const files = readdirSync(folder);

test('there is a recording of every event that the program was made to send', () => {
  const events = new Set(files.map((file) => file.split(/[-.]/)[0]));
  expect(events).toEqual(
    new Set(
      ['cwdchanged', 'posttooluse', 'posttoolusefailure', 'precompact', 'pretooluse', 'sessionend', 'sessionstart', 'stop'].concat([
        'subagentstart',
        'subagentstop',
        'userpromptsubmit',
      ]),
    ),
  );
});

for (const file of files)
  test(`what Claude Code really sends is understood: ${file.replace('.json', '')}`, () => {
    const text = readFileSync(join(folder, file), 'utf8');
    const raw = JSON.parse(text) as Record<string, unknown>;
    const event = parseClaude(text);
    expect(event).toMatchObject({
      agent: 'claude',
      name: raw['hook_event_name'],
      sessionId: raw['session_id'],
      cwd: raw['new_cwd'] ?? '/repo',
    });
    expect(event?.subagentId).toBe(raw['agent_id'] as string | undefined);
    if (raw['tool_name'] === undefined) return;
    const isShell = raw['tool_name'] === 'Bash';
    expect(event?.tool).toMatchObject({ kind: isShell ? 'shell' : 'write', name: raw['tool_name'] });
    if (!isShell) expect(event?.tool?.paths).toEqual([(raw['tool_input'] as { file_path: string }).file_path]);
  });
