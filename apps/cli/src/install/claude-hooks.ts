/** What Claude Code starts for every event; which one it is stands in the JSON on stdin. */
export type Command = { command: string; args: string[] };

type Entry = { event: string; matcher?: string; timeout: number; async?: true; statusMessage?: string };

const shells = 'Bash|PowerShell';
const writers = `Edit|Write|NotebookEdit|MultiEdit|${shells}`;

// Seconds. A hook that is killed by its timeout counts as "no objection", so each is well above what one call takes.
const entries: Entry[] = [
  { event: 'SessionStart', timeout: 5 },
  { event: 'UserPromptSubmit', timeout: 3 },
  { event: 'PreToolUse', matcher: writers, timeout: 3, statusMessage: 'Checking Nexus claims' },
  { event: 'PostToolUse', matcher: shells, timeout: 10, async: true },
  { event: 'PostToolUseFailure', matcher: shells, timeout: 10, async: true },
  { event: 'SubagentStart', timeout: 5 },
  { event: 'SubagentStop', timeout: 3 },
  { event: 'PreCompact', timeout: 5 },
  { event: 'Stop', timeout: 3 },
  { event: 'SessionEnd', timeout: 3 },
  { event: 'CwdChanged', timeout: 3 },
];

export type Group = { matcher?: string; hooks: Record<string, unknown>[] };

/** Each event with the group of hooks to be in it. */
export function wantedGroups({ command, args }: Command): [event: string, group: Group][] {
  return entries.map(({ event, matcher, ...rest }) => [
    event,
    { ...(matcher === undefined ? {} : { matcher }), hooks: [{ type: 'command', command, args, ...rest }] },
  ]);
}

export const hookEvents = entries.map(({ event }) => event);
export const hookArgs = ['hook', 'claude'];

/** A handler of ours, in exec form or as a shell's line, whatever path and version it has. */
export function isOwnHandler(handler: unknown): handler is Command {
  if (typeof handler !== 'object' || handler === null || !('command' in handler) || typeof handler.command !== 'string') return false;
  const args = 'args' in handler && Array.isArray(handler.args) ? handler.args.map(String) : [];
  if (args.length > 0) return args.slice(-hookArgs.length).join(' ') === hookArgs.join(' ') && [handler.command, ...args].some(isNexus);
  return /(?:^|[\s"'/\\])nexus(?:\.exe)?["']?\s+hook\s/.test(`${handler.command} `);
}

/** The program, its bundle, or its source. */
const isNexus = (word: string): boolean => /(?:^|[/\\])(?:nexus(?:\.\w+)?|cli[/\\]src[/\\]main\.ts)$/.test(word);
