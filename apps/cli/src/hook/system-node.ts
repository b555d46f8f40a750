import { writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { request } from 'node:http';
import type { System } from './system.ts';

export const nodeSystem: System = {
  readStdin: async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks).toString('utf8');
  },
  print: (text) => Promise.resolve(void writeSync(1, text)),
  ownerOf: (path) =>
    stat(path).then(
      ({ uid }) => uid,
      () => undefined,
    ),
  // Node's fetch knows no unix sockets.
  post: (socketPath, url, body, headers, ms) =>
    new Promise((resolve, reject) => {
      const options = { socketPath, path: new URL(url).pathname, method: 'POST', headers, signal: AbortSignal.timeout(ms) };
      const call = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          response.statusCode === 200 ? resolve(text) : reject(new Error(`The keeper answered ${response.statusCode}.`)),
        );
        response.on('error', reject);
      });
      call.on('error', reject);
      call.end(body);
    }),
};
