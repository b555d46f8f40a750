import { renameSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseClaude, renderClaude } from '../hook/claude.ts';
import type { Caller } from '../hook/event.ts';
import type { HookHandler } from '../hook/handle.ts';

type Needs = { socket: string; handle: HookHandler; log: (line: string) => void };

/** Answers hooks over HTTP on a socket of their own: that is what a hook's process can speak cheapest. */
export async function serveHooks({ socket, handle, log }: Needs): Promise<{ close: () => void }> {
  const server = createServer((request, response) => {
    answer(request, handle)
      .catch((error: unknown) => {
        log(`hook: ${error instanceof Error ? error.message : String(error)}`);
        return '';
      })
      .then((text) => send(response, text))
      .catch(() => response.destroy());
  });
  const temporary = `${socket}.${process.pid}`;
  rmSync(temporary, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(temporary, resolve);
  });
  renameSync(temporary, socket);
  return {
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function answer(request: IncomingMessage, handle: HookHandler): Promise<string> {
  const caller = callerOf(request.headers['x-nexus-caller']);
  const text = await readBody(request);
  const event = request.url === '/hook/claude' ? parseClaude(text) : undefined;
  return event === undefined || caller === undefined ? '' : renderClaude(event, await handle(event, caller));
}

function send(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
  response.end(text);
}

/** Written by this same program, in a directory that only this user may enter. */
function callerOf(header: string | string[] | undefined): Caller | undefined {
  if (typeof header !== 'string') return undefined;
  const caller = JSON.parse(decodeURIComponent(header)) as Partial<Caller>;
  return typeof caller.pid === 'number' && typeof caller.env === 'object' && caller.env !== null
    ? { pid: caller.pid, env: caller.env }
    : undefined;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
