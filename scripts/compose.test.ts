import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'bun:test';
import { parse } from 'yaml';
import { z } from 'zod';

const root = join(import.meta.dir, '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

const Service = z.object({
  image: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  healthcheck: z.object({ test: z.array(z.string()).min(2) }).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
const compose = z.object({ services: z.record(z.string(), Service) }).parse(parse(read('docker-compose.yml')));
const documented = new Set([...read('.env.example').matchAll(/^#? ?([A-Z][A-Z_]+)=/gm)].map(([, name]) => name));

describe('docker-compose.yml and the Dockerfile, read but not run (no Docker daemon is asked for)', () => {
  test('the three services are there, and the server waits until both engines are healthy', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['postgres', 'redis', 'server']);
    const waits = compose.services['server']?.depends_on ?? {};
    expect(Object.keys(waits).sort()).toEqual(['postgres', 'redis']);
    for (const [name, { condition }] of Object.entries(waits)) {
      expect(condition).toBe('service_healthy');
      expect(compose.services[name]?.healthcheck?.test[0]).toBe('CMD');
    }
  });

  test('Redis never evicts a claim and writes its log every second', () => {
    const command = compose.services['redis']?.command?.join(' ') ?? '';
    expect(command).toContain('--maxmemory-policy noeviction');
    expect(command).toContain('--appendonly yes --appendfsync everysec');
  });

  test('the server is given only settings that .env.example documents, and refuses to start without a salt', () => {
    const environment = compose.services['server']?.environment ?? {};
    const used = [...read('docker-compose.yml').matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name);
    for (const name of [...Object.keys(environment), ...used]) expect([...documented]).toContain(name);
    expect(environment['API_KEY_SALT']).toStartWith('${API_KEY_SALT:?');
  });

  test('the image has the pinned Bun, another user than root, a health check, and a command without a shell', () => {
    const dockerfile = read('Dockerfile');
    const { packageManager } = z.object({ packageManager: z.string() }).parse(JSON.parse(read('package.json')));
    const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    expect(new Set(images)).toEqual(new Set([`oven/${packageManager.replace('@', ':')}`]));
    expect(dockerfile).toContain('\nUSER bun\n');
    expect(dockerfile).toMatch(/^HEALTHCHECK .*\n +CMD \[/m);
    expect(dockerfile).toMatch(/^CMD \["bun", /m);
  });

  test('the sources that are copied into the image exist', () => {
    const copied = [...read('Dockerfile').matchAll(/^COPY (?!--)(\S+) \.\//gm)].map(([, folder]) => folder ?? '');
    expect(copied).toEqual(['packages', 'apps/server', 'drizzle']);
    for (const folder of copied) expect(existsSync(join(root, folder))).toBe(true);
  });
});
