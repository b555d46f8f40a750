import type { HookEvent, HookTool, Verdict } from './event.ts';

const events: Record<string, HookEvent['event']> = {
  SessionStart: 'session_start',
  UserPromptSubmit: 'prompt',
  PreToolUse: 'pre_tool',
  PostToolUse: 'post_tool',
  // A command that failed may have written all the same.
  PostToolUseFailure: 'post_tool',
  PreCompact: 'pre_compact',
  Stop: 'turn_end',
  SubagentStart: 'subagent_start',
  SubagentStop: 'subagent_end',
  SessionEnd: 'session_end',
  CwdChanged: 'cwd_changed',
};

/** Claude Code's JSON as an event; undefined for what Nexus has nothing to say to, whatever it is. Never throws. */
export function parseClaude(text: string): HookEvent | undefined {
  const raw = object(parseJson(text));
  const name = string(raw?.['hook_event_name']);
  const event = name !== undefined && Object.hasOwn(events, name) ? events[name] : undefined;
  const sessionId = string(raw?.['session_id']);
  if (raw === undefined || name === undefined || event === undefined || !sessionId) return undefined;
  const cwd = string(event === 'cwd_changed' ? (raw['new_cwd'] ?? raw['cwd']) : raw['cwd']);
  if (!cwd) return undefined;
  const subagentId = string(raw['agent_id']);
  const callId = string(raw['tool_use_id']);
  const source = string(raw[event === 'session_end' ? 'reason' : event === 'pre_compact' ? 'trigger' : 'source']);
  const tool = event === 'pre_tool' || event === 'post_tool' ? toolOf(raw) : undefined;
  return {
    agent: 'claude',
    event,
    name,
    sessionId,
    cwd,
    ...(subagentId ? { subagentId } : {}),
    ...(callId ? { callId } : {}),
    ...(source ? { source } : {}),
    ...(tool ? { tool } : {}),
  };
}

const pathKeys: Record<string, string> = {
  Edit: 'file_path',
  Write: 'file_path',
  // Gone since 2.0; older versions still have it.
  MultiEdit: 'file_path',
  NotebookEdit: 'notebook_path',
};

function toolOf(raw: Record<string, unknown>): HookTool | undefined {
  const name = string(raw['tool_name']);
  if (name === undefined) return undefined;
  const input = object(raw['tool_input']);
  const pathKey = Object.hasOwn(pathKeys, name) ? pathKeys[name] : undefined;
  if (pathKey !== undefined) {
    const path = string(input?.[pathKey]);
    return { kind: 'write', name, paths: path ? [path] : [] };
  }
  if (name === 'Bash' || name === 'PowerShell') {
    return { kind: 'shell', name, paths: diffPaths(raw), command: string(input?.['command']) ?? '' };
  }
  return { kind: 'other', name, paths: [] };
}

/** With `bashEditDiffEnabled` Claude says itself which files a command changed. */
function diffPaths(raw: Record<string, unknown>): string[] {
  const changed = object(object(raw['tool_response'])?.['bashEditDiff'])?.['changedFiles'];
  return Array.isArray(changed) ? changed.filter((path): path is string => typeof path === 'string') : [];
}

/** Claude cuts longer strings. */
const longest = 9_900;

/**
 * What to print; nothing means no objection. Never `allow`: that would skip the user's own permission question.
 * Claude ignores a denial without `hookEventName`, and runs the tool.
 */
export function renderClaude(event: Pick<HookEvent, 'event' | 'name'>, { deny, context, notice }: Verdict): string {
  const specific: Record<string, string> = {};
  if (deny && event.event === 'pre_tool') {
    specific['permissionDecision'] = 'deny';
    specific['permissionDecisionReason'] = cut(deny);
  }
  if (context && takesContext.has(event.event)) specific['additionalContext'] = cut(context);
  const answer = {
    ...(Object.keys(specific).length > 0 ? { hookSpecificOutput: { hookEventName: event.name, ...specific } } : {}),
    ...(notice ? { systemMessage: cut(notice) } : {}),
  };
  return Object.keys(answer).length > 0 ? JSON.stringify(answer) : '';
}

const takesContext = new Set<HookEvent['event']>(['session_start', 'prompt', 'pre_tool', 'post_tool', 'subagent_start']);

const cut = (text: string): string => (text.length <= longest ? text : `${text.slice(0, longest)}…`).toWellFormed();

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const object = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
const string = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
