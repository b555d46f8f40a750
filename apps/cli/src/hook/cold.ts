import { createClient } from '@nexus/client';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { findDirs } from '../dirs.ts';
import { version } from '../io.ts';
import { startKeeper } from '../keeper/call.ts';
import { keeperFiles } from '../keeper/protocol.ts';
import { self } from '../self.ts';
import { parseClaude, renderClaude } from './claude.ts';
import type { Caller, HookEvent } from './event.ts';
import { createHookHandler } from './handle.ts';
import { createLapse } from './lapse.ts';
import { createPlaces } from './places.ts';
import { postToKeeper } from './post.ts';
import type { System } from './system.ts';

/** Without a keeper: starts one for the next event, and answers this one here. */
export async function answerCold(system: System, text: string, caller: Caller, ms: number): Promise<string> {
  const event = parseClaude(text);
  if (event === undefined || !(await isOurs(event, caller))) return '';
  const until = Date.now() + ms;
  const { runtime, state } = findDirs(caller.env);
  const { hookSocket } = keeperFiles(runtime);
  if (!caller.env['NEXUS_NO_KEEPER'] && event.event !== 'session_end') {
    const starting = startKeeper({ env: process.env, self: self() }, state);
    // The start of a session is worth waiting for: it is then kept from its first second.
    while (event.event === 'session_start' && !starting.failed && until - Date.now() > 1200) {
      await sleep(25);
      if (!existsSync(hookSocket)) continue;
      const { answer } = await postToKeeper(system, { socket: hookSocket, agent: event.agent, text, caller, ms: until - Date.now() });
      if (answer !== undefined) return answer;
    }
  }
  const clientFor = ({ server, apiKey }: { server: string; apiKey: string }, timeout: number) =>
    createClient({ server, apiKey, timeout, retries: 0, userAgent: `nexus-hook/${version}` });
  const handle = createHookHandler({ clientFor, patienceMs: until - Date.now() });
  return renderClaude(event, await handle(event, caller));
}

/** The keeper did not answer in time. */
export async function lapsed(text: string, caller: Caller): Promise<string> {
  const event = parseClaude(text);
  return event === undefined ? '' : renderClaude(event, await createLapse({ now: Date.now })(event, caller, 'the keeper does not answer'));
}

async function isOurs(event: HookEvent, { env }: Caller): Promise<boolean> {
  const places = createPlaces({ now: Date.now });
  for (const path of [event.cwd, ...(event.tool?.paths ?? [])]) if ((await places.find(path, env)) !== undefined) return true;
  return false;
}
