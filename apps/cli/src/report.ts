import { NexusError } from '@nexus/client';
import { AvailableFeature } from '@nexus/contract';
import { z } from 'zod';
import { conflictsOf, describeConflicts } from './conflicts.ts';
import type { Output } from './output.ts';
import { problemOf } from './errors.ts';
import { clean, cleanBlock } from './text.ts';

/** Tells on stderr what went wrong and what to do next; answers the exit code. */
export function report(error: unknown, out: Output): number {
  const problem = problemOf(error);
  out.problem(problem, explained(error));
  return problem.exit;
}

function explained(error: unknown): string | undefined {
  const conflicts = conflictsOf(error);
  if (error instanceof NexusError && conflicts.length > 0) {
    const next = 'Next: `nexus feature pick-next` takes what is free; `nexus watch` tells when these are.';
    return `refused: ${cleanBlock(error.message)}\n\n${describeConflicts(conflicts)}\n\n${next}`;
  }
  if (error instanceof NexusError && error.code === 'NOTHING_AVAILABLE') {
    const waiting = waitingLines(error.details);
    return `nothing to pick: ${cleanBlock(error.message)}${waiting.length > 0 ? `\n\n${waiting.join('\n')}` : ''}`;
  }
  if (error instanceof NexusError && (error.code === 'SESSION_LOST' || error.code === 'FENCED')) {
    const told = factLines(error.details);
    return `refused: ${cleanBlock(error.message)}${told.length > 0 ? `\n${told.join('\n')}` : ''}`;
  }
  if (error instanceof NexusError && error.code === 'VALIDATION_ERROR') {
    const told = factLines(error.details);
    return `error: ${cleanBlock(error.message)}${told.length > 0 ? `\n${told.join('\n')}` : ''}`;
  }
  return undefined;
}

const Waiting = AvailableFeature.pick({ slug: true, blockedBy: true, waitsFor: true }).partial({ blockedBy: true, waitsFor: true });

function waitingLines(details: unknown): string[] {
  const lists = typeof details === 'object' && details !== null ? Object.values(details) : [];
  return lists.flatMap((list: unknown) => {
    const parsed = z.array(Waiting).safeParse(list);
    if (!parsed.success) return [];
    return parsed.data.map(({ slug, blockedBy, waitsFor }) => {
      const holder = blockedBy
        ? `held by ${clean(blockedBy.engineerName)}${blockedBy.featureSlug ? ` for ${clean(blockedBy.featureSlug)}` : ''}`
        : '';
      const waits = waitsFor && waitsFor.length > 0 ? `waits for ${waitsFor.map(clean).join(', ')}` : '';
      return `  ${clean(slug)}: ${[holder, waits].filter(Boolean).join('; ')}`;
    });
  });
}

/** Whatever facts the server gave, one line each. */
function factLines(details: unknown, indent = '  '): string[] {
  if (typeof details !== 'object' || details === null) return [];
  return Object.entries(details).flatMap(([name, value]: [string, unknown]) => {
    if (value === null || value === undefined) return [];
    if (typeof value !== 'object') return [`${indent}${clean(name)}: ${clean(String(value as string | number | boolean))}`];
    const inner = factLines(value, `${indent}  `);
    return inner.length > 0 ? [`${indent}${clean(name)}:`, ...inner] : [];
  });
}
