import type { Caller } from './event.ts';
import type { System } from './system.ts';
import { bunSystem } from './system-bun.ts';

export const findSystem = async (): Promise<System> =>
  process.versions['bun'] === undefined ? (await import('./system-node.ts')).nodeSystem : bunSystem;

/** `answer`: what to print. `late`: a keeper is there, but did not answer in time. Neither: there is none. */
export type Posted = { answer?: string; late?: boolean };

type Letter = { socket: string; agent: string; text: string; caller: Caller; ms: number };

/** Hands the agent's JSON to the keeper as it came. */
export async function postToKeeper(system: System, { socket, agent, text, caller, ms }: Letter): Promise<Posted> {
  const headers = { 'x-nexus-caller': encodeURIComponent(JSON.stringify(caller)), 'content-type': 'application/json' };
  try {
    return { answer: await system.post(socket, `http://keeper/hook/${agent}`, text, headers, ms) };
  } catch (error) {
    return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError') ? { late: true } : {};
  }
}
