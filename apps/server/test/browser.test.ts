import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type Browser, chromium } from 'playwright-core';
import { readyFeature, startServer, type TestServer } from './harness.ts';

const executablePath = process.env['CHROMIUM'];

describe.skipIf(!executablePath)('in a real browser', () => {
  let server: TestServer;
  let browser: Browser;

  beforeAll(async () => {
    server = await startServer('embedded');
    browser = await chromium.launch({
      executablePath: executablePath ?? '',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    });
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await server.stop();
  });

  test('the API page shows the routes, and asks no other host for anything', async () => {
    const page = await browser.newPage();
    const hosts = new Set<string>();
    const problems: string[] = [];
    page.on('request', (request) => request.url().startsWith('data:') || hosts.add(new URL(request.url()).origin));
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(`${server.url}/api/docs`);
    await page.getByText('Take the feature and every path it touches, or none').waitFor();
    expect([...hosts]).toEqual([server.url]);
    expect(problems).toEqual([]);
    await page.close();
  }, 60_000);

  test('a page follows the feed with a ticket, and the ticket opens one socket only', async () => {
    const { projectId, lead } = await server.project();
    const { ticket } = await lead.wsTicket({ body: { projectId } });
    const page = await browser.newPage();
    await page.goto(`${server.url}/api/docs`);
    const follow = ({ projectId, ticket }: { projectId: string; ticket: string }) =>
      new Promise<string[]>((resolve) => {
        const types: string[] = [];
        const name = `nexus.ticket.${btoa(ticket).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
        const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`, ['nexus.v1', name]);
        socket.onopen = () => socket.send(JSON.stringify({ type: 'join', projectId, after: '0' }));
        socket.onerror = () => resolve(['refused']);
        socket.onmessage = (message) => {
          types.push((JSON.parse(String(message.data)) as { type: string }).type);
          if (types.at(-1) === 'feature_updated') resolve(types);
        };
      });
    const followed = page.evaluate(follow, { projectId, ticket });
    await readyFeature(lead, projectId, 'seen-live');
    expect(await followed).toEqual(['connected', 'joined', 'feature_created', 'feature_updated']);
    expect(await page.evaluate(follow, { projectId, ticket })).toEqual(['refused']);
    await page.close();
  }, 60_000);
});
