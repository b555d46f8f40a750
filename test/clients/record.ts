import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Desk } from './claude.ts';

const folder = join(import.meta.dirname, '../../apps/cli/src/hook/fixtures/claude/recorded');

/** One payload of each kind that Claude Code sent, for the tests that run without it. What differs from run to run is replaced. */
export function record({ dir, env, payloads }: Desk): void {
  mkdirSync(folder, { recursive: true });
  const kinds = new Map<string, Record<string, unknown>>();
  for (const payload of payloads()) {
    const parts = [
      payload['hook_event_name'],
      payload['tool_name'],
      payload['source'] ?? payload['reason'],
      payload['agent_id'] ? 'subagent' : undefined,
    ];
    const kind = parts
      .filter((part) => typeof part === 'string')
      .join('-')
      .toLowerCase();
    if (!kinds.has(kind)) kinds.set(kind, payload);
  }
  for (const [kind, payload] of kinds) {
    const ids = new Map<string, string>();
    const agentId = typeof payload['agent_id'] === 'string' ? payload['agent_id'] : 'a1';
    const text = JSON.stringify(payload, undefined, 2)
      .replaceAll(dir, '/repo')
      .replaceAll(dir.replaceAll(/[^a-zA-Z0-9]/g, '-'), '-repo')
      .replaceAll(env['HOME'] ?? '', '/home/ann')
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) =>
        numbered(ids, id, (n) => `00000000-0000-4000-8000-${n.padStart(12, '0')}`),
      )
      .replace(/toolu_[0-9a-f]+/g, (id) => numbered(ids, id, (n) => `toolu_${n.padStart(2, '0')}`))
      .replaceAll(agentId, 'a1')
      .replace(/"duration_ms": \d+/g, '"duration_ms": 1');
    writeFileSync(join(folder, `${kind}.json`), `${text}\n`);
  }
}

function numbered(ids: Map<string, string>, id: string, make: (n: string) => string): string {
  const made = ids.get(id) ?? make(String(ids.size + 1));
  ids.set(id, made);
  return made;
}
