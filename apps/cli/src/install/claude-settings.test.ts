import { describe, expect, test } from 'bun:test';
import { parse } from 'jsonc-parser';
import { hookEvents } from './claude-hooks.ts';
import { countHooks, withHooks, withoutHooks } from './claude-settings.ts';
import { unifiedDiff } from './diff.ts';

const nexus = { command: 'nexus', args: ['hook', 'claude'] };
const here = { command: '/opt/bin/nexus', args: ['hook', 'claude'] };
const install = (text: string | undefined, command = nexus): string => withHooks('s.json', text, command);

const foreign = `{
  // who may do what
  "permissions": { "allow": ["Bash(ls)"] }, /* kept */
  "hooks": {
    "PreToolUse": [
      {
        "matcher": "Bash",
        "hooks": [{ "type": "command", "command": "./check.sh" }] // ours
      }
    ],
    "Notification": []
  },
}
`;
const samples: Record<string, string> = {
  'comments and foreign hooks': foreign,
  'an empty object': '{}\n',
  'no hooks': '{\n\t"model": "x"\n}\n',
  'no newline at the end': '{"model":"x"}',
  'Windows line ends': '{\r\n    "model": "x"\r\n}\r\n',
};

describe('Claude Code’s settings', () => {
  test('get every event once, in exec form', () => {
    const made = install(undefined);
    expect([...countHooks('s.json', made).keys()]).toEqual(hookEvents);
    const { hooks } = JSON.parse(made) as { hooks: Record<string, { matcher?: string; hooks: object[] }[]> };
    expect(hooks['PreToolUse']).toEqual([
      {
        matcher: 'Edit|Write|NotebookEdit|MultiEdit|Bash|PowerShell',
        hooks: [{ type: 'command', ...nexus, timeout: 3, statusMessage: 'Checking Nexus claims' }],
      },
    ]);
    expect(hooks['PostToolUse']?.[0]?.hooks[0]).toMatchObject({ async: true });
    expect(made).not.toContain('WorktreeCreate');
  });

  for (const [name, text] of Object.entries(samples)) {
    test(`with ${name}: a second install changes no byte, and what was there stays`, () => {
      const made = install(text);
      expect(install(made)).toBe(made);
      for (const kept of ['// who may do what', '/* kept */', '// ours', './check.sh', '"model"', '\r\n'])
        expect(made.includes(kept)).toBe(text.includes(kept));
      for (const own of countHooks('s.json', made).values()) expect(own).toHaveLength(1);
      const left = withoutHooks('s.json', made);
      if (left !== undefined) expect(countHooks('s.json', left).size).toBe(0);
      expect(JSON.stringify(parse(left ?? '{}'))).toBe(JSON.stringify(parse(text)));
    });
  }

  test('lose entries of an older version, of another path and in a shell’s line, but none of others', () => {
    const old = {
      hooks: {
        Stop: [
          {
            hooks: [
              { type: 'command', command: 'nexus hook claude --old' },
              { type: 'command', command: 'say done' },
            ],
          },
        ],
        WorktreeCreate: [{ hooks: [{ type: 'command', command: '/usr/bin/nexus hook claude' }] }],
        PreToolUse: [{ matcher: 'Edit', hooks: [{ type: 'command', command: 'node', args: ['/x/nexus.mjs', 'hook', 'claude'] }] }],
        SessionEnd: [
          {
            hooks: [
              { type: 'command', command: 'connexus hook it' },
              { type: 'command', command: 'x', args: ['hook', 'claude'] },
            ],
          },
        ],
      },
    };
    const text = `${JSON.stringify(old, undefined, 2)}\n`;
    const made = install(text, here);
    expect(made).toContain('say done');
    expect(made).toContain('connexus hook it');
    expect(made).not.toContain('--old');
    expect(made).not.toContain('nexus.mjs');
    for (const own of countHooks('s.json', made).values()) expect(own.map(({ command }) => command)).toEqual(['/opt/bin/nexus']);
    const left = withoutHooks('s.json', text) ?? '';
    expect(JSON.parse(left)).toEqual({
      hooks: { Stop: [{ hooks: [{ type: 'command', command: 'say done' }] }], SessionEnd: old.hooks.SessionEnd },
    });
  });

  test('that are only ours go as a whole', () => {
    expect(withoutHooks('s.json', install(undefined))).toBeUndefined();
  });

  for (const broken of ['{ "hooks": ', '[]', '{"hooks": []}', '{"hooks": {"Stop": {}}}', '{"a": 1 "b": 2}'])
    test(`that are not to be understood (${broken}) are refused`, () => {
      expect(() => install(broken)).toThrow(/s\.json cannot be edited/);
    });
});

test('a difference is shown as diff -u shows it', () => {
  expect(unifiedDiff('f', 'a\nb\nc\n', 'a\nB\nc\n')).toBe('--- f\n+++ f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n');
  expect(unifiedDiff('f', undefined, 'a')).toBe('--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a\n\\ No newline at end of file\n');
  expect(unifiedDiff('f', 'a\n', 'a\n')).toBe('');
});
