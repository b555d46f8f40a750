import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { wantedGroups } from '../src/install/claude-hooks.ts';
import { version } from '../src/io.ts';
import { runHere } from '../src/testing/io.ts';

// `bun run test:clients plugin` has the vendor's validator look at the same files, and the real program use them.
const root = join(import.meta.dirname, '../../..');
const plugin = join(root, 'plugins/nexus');
const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');
const json = (...path: string[]): unknown => JSON.parse(read(...path));

test('the marketplace offers the plugin where it is, in this version', () => {
  const { name, plugins } = json(root, '.claude-plugin/marketplace.json') as { name: string; plugins: object[] };
  expect(name).toBe('nexus');
  expect(plugins).toMatchObject([{ name: 'nexus', source: './plugins/nexus' }]);
  expect(json(plugin, '.claude-plugin/plugin.json')).toMatchObject({ name: 'nexus', version, author: { name: 'Nexus' } });
  expect(readdirSync(join(plugin, '.claude-plugin'))).toEqual(['plugin.json']);
});

test('the plugin’s hooks are those that `nexus install claude --print` writes', () => {
  const wanted = wantedGroups({ command: 'nexus', args: ['hook', 'claude'] }).map(([event, group]) => [event, [group]] as const);
  const { hooks } = json(plugin, 'hooks/hooks.json') as { hooks: object };
  expect(hooks).toEqual(Object.fromEntries(wanted));
});

const skills = readdirSync(join(plugin, 'skills'));

test('there are skills to pick, to look, to finish and to resume', () => {
  expect(skills.sort()).toEqual(['done', 'pick', 'resume', 'status']);
});

for (const skill of skills)
  test(`the skill ${skill} says when it is for, and names commands that exist`, async () => {
    const [, head = '', body = ''] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(read(plugin, 'skills', skill, 'SKILL.md')) ?? [];
    const { name, description, ...more } = parse(head) as Record<string, unknown>;
    expect(name).toBe(skill);
    expect(String(description).length).toBeWithin(40, 400);
    // Whose work is taken or ended is the person's decision.
    expect(more['disable-model-invocation'] ?? false).toBe(skill !== 'status');
    const commands = [...body.matchAll(/`nexus ([a-z-]+(?: [a-z-]+)?)/g)].map(([, words = '']) => words.split(' '));
    expect(commands.length).toBeGreaterThan(0);
    for (const words of commands) {
      const { code, out } = await runHere([...words, '--help'], { cwd: root });
      expect([words, code]).toEqual([words, 0]);
      expect(out).toContain(`Usage: nexus ${words.join(' ')}`);
    }
  });
