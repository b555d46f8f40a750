import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseClaude, renderClaude } from './claude.ts';
import type { HookEvent, Verdict } from './event.ts';

type Fixture = { input: object; event: HookEvent | null; answers: { verdict: Verdict; stdout: object | null }[] };

const folder = join(import.meta.dirname, 'fixtures', 'claude');
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const { input, event, answers } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Fixture;
  test(`Claude Code: ${file.replace('.json', '')} is understood and answered as recorded`, () => {
    const parsed = parseClaude(JSON.stringify(input));
    expect(parsed ?? null).toEqual(event);
    if (parsed === undefined) return;
    for (const { verdict, stdout } of answers) expect(renderClaude(parsed, verdict)).toBe(stdout === null ? '' : JSON.stringify(stdout));
  });
}

test('whatever arrives, parsing answers an event or nothing', () => {
  const near = fc.record(
    {
      hook_event_name: fc.oneof(fc.constantFrom('PreToolUse', 'SessionStart', 'CwdChanged', '__proto__', 'toString'), fc.anything()),
      session_id: fc.oneof(fc.string(), fc.anything()),
      cwd: fc.oneof(fc.string(), fc.anything()),
      tool_name: fc.oneof(fc.constantFrom('Edit', 'Bash', 'constructor'), fc.anything()),
      tool_input: fc.anything(),
      tool_response: fc.anything(),
    },
    { requiredKeys: [] },
  );
  const any = fc.oneof(
    fc.string(),
    near.map((value) => JSON.stringify(value) ?? ''),
    fc.json(),
  );
  fc.assert(
    fc.property(any, (text) => {
      const event = parseClaude(text);
      if (event) expect(typeof renderClaude(event, { deny: text, context: text, notice: text })).toBe('string');
    }),
  );
});

test('no answer is longer than Claude Code takes, and none says allow', () => {
  const event = { event: 'pre_tool', name: 'PreToolUse' } as const;
  const printed = renderClaude(event, { deny: 'x'.repeat(50_000), context: 'y'.repeat(50_000) });
  const { hookSpecificOutput } = JSON.parse(printed) as { hookSpecificOutput: Record<string, string> };
  for (const value of Object.values(hookSpecificOutput)) expect(value.length).toBeLessThan(10_000);
  expect(printed).not.toContain('allow');
});
