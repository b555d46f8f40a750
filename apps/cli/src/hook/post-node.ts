import { request } from 'node:http';

/** Node's fetch knows no unix sockets. Rejects with an AbortError when it takes longer. */
export function post(socketPath: string, url: string, body: string, headers: Record<string, string>, ms: number): Promise<string> {
  return new Promise((resolve, reject) => {
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
  });
}
