/** What an agent's hook tells, whichever agent it is. */
export type HookEvent = {
  agent: 'claude';
  event:
    | 'session_start'
    | 'prompt'
    | 'pre_tool'
    | 'post_tool'
    | 'pre_compact'
    | 'turn_end'
    | 'subagent_start'
    | 'subagent_end'
    | 'session_end'
    | 'cwd_changed';
  /** The agent's own name for the event: answers repeat it. */
  name: string;
  sessionId: string;
  subagentId?: string;
  /** Of one tool call: the same before and after it. */
  callId?: string;
  cwd: string;
  tool?: HookTool;
  /** Why the session starts or ends: `startup`, `resume`, `clear`, `compact`, `logout` … */
  source?: string;
};

export type HookTool = { kind: 'write' | 'shell' | 'other'; name: string; paths: string[]; command?: string };

/**
 * `deny` stops the tool, `context` is for the agent, `notice` for the person who watches it. Empty: no objection.
 */
export type Verdict = { deny?: string; context?: string; notice?: string };

/** What the hook's process knows and the keeper does not. */
export type Caller = {
  /** Of the hook's process: the agent is above it. */
  pid: number;
  /** The variables that decide where Nexus is, and those of the agent; nothing else of the environment. */
  env: Record<string, string>;
};

/** No agent's session: `nexus doctor` asks in its name whether a hook comes as far as the server. */
export const probeSession = 'nexus-doctor';
export const reached = 'nexus-doctor reached';
