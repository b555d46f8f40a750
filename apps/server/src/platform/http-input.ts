import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import type { z } from 'zod';
import type { Route } from '@nexus/contract';
import type { Idempotency } from './actor.ts';
import { AppError } from './errors.ts';

export async function readText(c: Context, maxBytes: number): Promise<string> {
  const tooLarge = () => new AppError('PAYLOAD_TOO_LARGE', `A request body has at most ${Math.floor(maxBytes / 1024)} KB.`);
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge();
  const text = await c.req.text();
  if (Buffer.byteLength(text) > maxBytes) throw tooLarge();
  return text;
}

export function readJson(text: string): unknown {
  requireShallow(text);
  try {
    return text.trim() === '' ? undefined : JSON.parse(text);
  } catch {
    throw new AppError('VALIDATION_ERROR', 'The body is not valid JSON.', { details: { field: 'body' } });
  }
}

/** What recursion would have to follow later is refused now. */
function requireShallow(text: string) {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') {
      depth += 1;
      if (depth > 32)
        throw new AppError('VALIDATION_ERROR', 'The body is nested too deep: at most 32 levels.', { details: { field: 'body' } });
    } else if (char === '}' || char === ']') depth -= 1;
  }
}

/** 400 that names the field. */
export function parse(schema: z.ZodType, value: unknown, where: 'body' | 'query'): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 10).map((issue) => {
    const keys = 'keys' in issue && Array.isArray(issue.keys) ? issue.keys : [];
    return { field: [...issue.path, ...keys].join('.') || where, message: issue.message };
  });
  const [first] = issues;
  throw new AppError('VALIDATION_ERROR', `${first?.field}: ${first?.message}`, { details: { field: first?.field, issues } });
}

export function idempotencyOf(c: Context, { method }: Route, text: string): Idempotency | undefined {
  const key = c.req.header('idempotency-key');
  if (key === undefined || method !== 'post') return undefined;
  if (!/^[\x21-\x7e]{1,128}$/.test(key))
    throw new AppError('VALIDATION_ERROR', 'Idempotency-Key: use 1 to 128 visible ASCII characters.', {
      details: { field: 'Idempotency-Key' },
    });
  const fingerprint = createHash('sha256')
    .update([method, c.req.path, c.req.header('x-nexus-session') ?? '', text].join('\n'))
    .digest('base64url');
  return { key, fingerprint };
}

export function ifMatchOf(c: Context): number | undefined {
  const header = c.req.header('if-match');
  if (header === undefined || header === '*') return undefined;
  const version = /^(?:W\/)?"?(\d{1,9})"?$/.exec(header)?.[1];
  if (!version)
    throw new AppError('VALIDATION_ERROR', 'If-Match: give the ETag of the feature as you read it.', { details: { field: 'If-Match' } });
  return Number(version);
}
