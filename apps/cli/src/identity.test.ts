import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { findIdentity, type Identity } from './identity.ts';
import { machineId } from './machine.ts';
import { isAlive, processInfo, type ProcessInfo } from './processes.ts';
import { makePlace, type Place } from './testing/io.ts';

type Seen = Partial<ProcessInfo> & { pid: number; parent: number };
/** A process table by hand: everything not said is an ordinary process with a terminal. */
const tableOf = (...processes: Seen[]) => {
  const all = new Map(processes.map((one) => [one.pid, { startTime: `t${one.pid}`, session: 10, hasTerminal: true, args: ['x'], ...one }]));
  return (pid: number) => all.get(pid);
};
const find = (env: Record<string, string>, info: (pid: number) => ProcessInfo | undefined, place = '/repo', pid = 99): Identity =>
  findIdentity({ env, pid, machine: () => 'm', place, info });
const own = (identity: Identity) => {
  if (identity.kind !== 'own') throw new Error('It is fixed.');
  return identity;
};

const shell: Seen = { pid: 10, parent: 5, args: ['-bash'] };
const terminal = tableOf(shell, { pid: 99, parent: 10 });

describe('who acts', () => {
  test('is the session that NEXUS_SESSION names, before all else', () => {
    expect(find({ NEXUS_SESSION: 'abc', CLAUDE_CODE_SESSION_ID: 'c' }, terminal)).toEqual({ kind: 'fixed', sessionId: 'abc' });
    expect(own(find({ NEXUS_SESSION: 'claude:c1:x' }, terminal))).toMatchObject({ agent: 'claude', agentSessionId: 'c1:x' });
  });

  for (const [variable, agent] of [
    ['CLAUDE_CODE_SESSION_ID', 'claude'],
    ['CODEX_SESSION_ID', 'codex'],
    ['CODEX_THREAD_ID', 'codex'],
    ['GEMINI_SESSION_ID', 'gemini'],
  ] as const) {
    test(`is the agent behind ${variable}`, () => {
      expect(own(find({ [variable]: 's1', TMUX_PANE: '%1' }, terminal))).toMatchObject({ agent, agentSessionId: 's1' });
    });
  }

  test('is the agent that NEXUS_AGENT and NEXUS_AGENT_SESSION name', () => {
    expect(own(find({ NEXUS_AGENT: 'mine', NEXUS_AGENT_SESSION: 's1', CLAUDE_CODE_SESSION_ID: 'c' }, terminal))).toMatchObject({
      agent: 'mine',
      agentSessionId: 's1',
    });
  });

  test('is one session per terminal: the same for every command in it, another in another one', () => {
    const first = own(find({}, terminal));
    expect(first.agent).toBe('terminal');
    expect(first.watch).toEqual({ pid: 10, startTime: 't10' });
    expect(own(find({}, tableOf(shell, { pid: 42, parent: 10 }), '/repo', 42)).agentSessionId).toBe(first.agentSessionId);
    const other = tableOf({ ...shell, pid: 11 }, { pid: 99, parent: 11, session: 11 });
    expect(own(find({}, other)).agentSessionId).not.toBe(first.agentSessionId);
    const reused = tableOf({ ...shell, startTime: 'later' }, { pid: 99, parent: 10 });
    expect(own(find({}, reused)).agentSessionId).not.toBe(first.agentSessionId);
    expect(own(find({}, terminal, '/other')).agentSessionId).not.toBe(first.agentSessionId);
  });

  test('in tmux is the pane, of this tmux server', () => {
    const pane = (env: Record<string, string>): string => own(find(env, terminal)).agentSessionId;
    const first = pane({ TMUX: '/tmp/t,1,0', TMUX_PANE: '%1' });
    expect(pane({ TMUX: '/tmp/t,1,0', TMUX_PANE: '%1' })).toBe(first);
    expect(pane({ TMUX: '/tmp/t,1,0', TMUX_PANE: '%2' })).not.toBe(first);
    expect(pane({ TMUX: '/tmp/t,2,0', TMUX_PANE: '%1' })).not.toBe(first);
    expect(pane({ TERM_SESSION_ID: 'w0' })).not.toBe(pane({ TERM_SESSION_ID: 'w1' }));
  });

  test('without a terminal is what started the passing shell of one command', () => {
    const detached = (shellPid: number) =>
      tableOf(
        { pid: 50, parent: 10, args: ['opencode'] },
        { pid: shellPid, parent: 50, session: shellPid, hasTerminal: false, args: ['bash', '-lc', 'nexus'] },
        { pid: 99, parent: shellPid, session: shellPid, hasTerminal: false },
      );
    const first = own(find({}, detached(60)));
    expect(first.watch?.pid).toBe(50);
    expect(own(find({}, detached(61))).agentSessionId).toBe(first.agentSessionId);
  });

  test('whose session leader is gone is the oldest ancestor', () => {
    expect(
      own(find({}, tableOf({ pid: 1, parent: 0, args: ['/sbin/init'] }, { pid: 20, parent: 1 }, { pid: 99, parent: 20 }))).watch?.pid,
    ).toBe(20);
  });
});

describe('the process to watch', () => {
  test('is CLAUDE_PID while that one lives', () => {
    const table = tableOf(shell, { pid: 77, parent: 10 }, { pid: 99, parent: 10 });
    expect(own(find({ CLAUDE_CODE_SESSION_ID: 'c', CLAUDE_PID: '77' }, table)).watch?.pid).toBe(77);
    expect(own(find({ CLAUDE_CODE_SESSION_ID: 'c', CLAUDE_PID: '78' }, table)).watch?.pid).toBe(10);
  });

  test('is the shell itself, not the copy of it that runs one side of a pipe', () => {
    const table = tableOf(shell, { pid: 12, parent: 10, args: ['-bash'] }, { pid: 99, parent: 12 });
    expect(own(find({ NEXUS_AGENT: 'mine', NEXUS_AGENT_SESSION: 's1' }, table)).watch?.pid).toBe(10);
  });

  test('is the agent, past the shells that it starts', () => {
    const table = tableOf(
      shell,
      { pid: 30, parent: 10, args: ['codex'] },
      { pid: 31, parent: 30, args: ['bash', '-lc', 'nexus'] },
      { pid: 99, parent: 31 },
    );
    expect(own(find({ CODEX_SESSION_ID: 'c' }, table)).watch?.pid).toBe(30);
  });
});

describe('real processes', () => {
  let place: Place;
  const children: ChildProcess[] = [];
  beforeAll(() => {
    place = makePlace();
  });
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    place.remove();
  });

  test('are told from what has their pid later, and from the dead that nobody has buried', async () => {
    const child = spawn('sleep', ['60']);
    children.push(child);
    const seen = processInfo(child.pid ?? 0);
    if (seen === undefined) throw new Error('It does not run.');
    expect(seen.parent).toBe(process.pid);
    expect(isAlive(seen)).toBe(true);
    expect(isAlive({ pid: seen.pid, startTime: `${seen.startTime}0` })).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(isAlive(seen)).toBe(false);
  });

  test('two shells in one directory are two sessions, and each is one', async () => {
    const module = JSON.stringify(join(import.meta.dirname, 'identity.ts'));
    const script = `import { findIdentity } from ${module};
      const { agent, agentSessionId, watch } = findIdentity({ env: process.env, pid: process.pid, machine: () => "m", place: "/repo" });
      console.log(agent, agentSessionId, watch.pid);`;
    const run = async (): Promise<string[]> => {
      const child = spawn('bash', [], { detached: true, stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] ?? '' } });
      children.push(child);
      let out = '';
      child.stdout.on('data', (chunk) => (out += String(chunk)));
      const command = `'${process.execPath}' -e '${script}'`;
      child.stdin.end(`${command}\n${command}\n(${command})\n`);
      await once(child, 'close');
      return out.trim().split('\n');
    };
    const [first, second] = await Promise.all([run(), run()]);
    expect(first).toHaveLength(3);
    expect(new Set(first).size).toBe(1);
    expect(new Set(second).size).toBe(1);
    expect(first[0]).not.toBe(second[0]);
  });

  test('the machine has one id, kept', () => {
    expect(machineId(place.dir)).toBe(machineId(place.dir));
    expect(machineId(place.dir)).toMatch(/^[0-9a-f]{16}$/);
  });
});
