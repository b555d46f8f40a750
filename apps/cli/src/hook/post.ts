import type { Caller } from './event.ts';

/** `answer`: what to print. `late`: a keeper is there, but did not answer in time. Neither: there is none. */
export type Posted = { answer?: string; late?: boolean };

/** Hands the agent's JSON to the keeper as it came. */
export async function postToKeeper(socket: string, agent: string, text: string, caller: Caller, ms: number): Promise<Posted> {
  const headers = { 'x-nexus-caller': encodeURIComponent(JSON.stringify(caller)), 'content-type': 'application/json' };
  const url = `http://keeper/hook/${agent}`;
  try {
    if (process.versions['bun'] === undefined)
      return { answer: await (await import('./post-node.ts')).post(socket, url, text, headers, ms) };
    // Bun's fetch costs a tenth of what loading node:http does.
    const response = await fetch(url, {
      method: 'POST',
      body: text,
      headers,
      unix: socket,
      signal: AbortSignal.timeout(ms),
    } as RequestInit);
    return response.status === 200 ? { answer: await response.text() } : {};
  } catch (error) {
    return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError') ? { late: true } : {};
  }
}
