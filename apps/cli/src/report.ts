import { NexusError } from '@nexus/client';
import type { ErrorCode } from '@nexus/contract';
import { z } from 'zod';
import { conflictsOf, describeConflicts, moment } from './conflicts.ts';
import { problemOf } from './errors.ts';
import type { Output } from './output.ts';
import { clean, cleanBlock, shortId } from './text.ts';

/** Tells on stderr what went wrong and what to do next; answers the exit code. */
export function report(error: unknown, out: Output): number {
  const problem = problemOf(error);
  out.problem(problem, error instanceof NexusError ? explained(error) : undefined);
  return problem.exit;
}

function explained(error: NexusError): string | undefined {
  const message = cleanBlock(error.message);
  const conflicts = conflictsOf(error);
  if (conflicts.length > 0) {
    return `refused: ${message}\n\n${describeConflicts(conflicts)}\n\nNext: \`nexus feature pick-next\` takes what is free; \`--wait\` waits until these are.`;
  }
  const form = forms[error.code];
  return form && [`${form.word}: ${message}`, ...form.lines(error.details)].join('\n');
}

const Holder = z.object({
  engineerName: z.string(),
  agent: z.string(),
  sessionId: z.string(),
  since: z.string().optional(),
  claimedAt: z.string().optional(),
});
const Waiting = z.object({ waiting: z.array(z.object({ slug: z.string(), waitsFor: z.array(z.string()), heldBy: z.array(z.string()) })) });
const Lost = z.object({
  sessionId: z.string(),
  status: z.string(),
  endedAt: z.string().nullable(),
  holds: z.array(
    z.object({
      featureSlug: z.string().nullable(),
      fence: z.number(),
      endedAs: z.string().nullable(),
      parked: z.boolean(),
      heldBy: Holder.nullable(),
    }),
  ),
});
const Held = z.object({ heldBy: Holder });
const Issues = z.object({ issues: z.array(z.object({ field: z.string(), message: z.string() })) });

/** Details may grow or differ between versions: what is not understood is left to --json. */
const linesOf = <T>(schema: z.ZodType<T>, details: unknown, lines: (known: T) => string[]): string[] => {
  const parsed = schema.safeParse(details);
  return parsed.success ? lines(parsed.data) : [];
};

const waitingLines = (details: unknown): string[] =>
  linesOf(Waiting, details, ({ waiting }) =>
    waiting.map(({ slug, waitsFor, heldBy }) => {
      const reasons = [
        heldBy.length > 0 ? `held by ${heldBy.map(clean).join(', ')}` : '',
        waitsFor.length > 0 ? `waits for ${waitsFor.map(clean).join(', ')}` : '',
      ];
      return `  ${clean(slug)}: ${reasons.filter(Boolean).join('; ')}`;
    }),
  );

const lostLines = (details: unknown): string[] =>
  linesOf(Lost, details, ({ sessionId, status, endedAt, holds }) => [
    `  session ${shortId(sessionId)}: ${clean(status)}${endedAt === null ? '' : ` since ${moment(endedAt)}`}`,
    ...holds.map(({ featureSlug, fence, endedAs, parked, heldBy }) => {
      const now = heldBy ? `now held by ${holder(heldBy)}` : 'nobody holds it now';
      return `  it held ${featureSlug === null ? 'ad hoc claims' : clean(featureSlug)} (fence ${fence}): ${parked ? 'parked' : clean(endedAs ?? 'over')}${featureSlug === null ? '' : `, ${now}`}`;
    }),
  ]);

const holderLines = (details: unknown): string[] => linesOf(Held, details, ({ heldBy }) => [`  held by ${holder(heldBy)}`]);

const Queue = z.object({
  waiting: z.array(Holder.extend({ featureSlug: z.string().nullable(), paths: z.array(z.string()) })),
});
const queueLines = (details: unknown): string[] =>
  linesOf(Queue, details, ({ waiting }) =>
    waiting.map(({ featureSlug, paths, ...who }) => `  ${holder(who)} waits for ${clean(featureSlug ?? paths.slice(0, 5).join(', '))}`),
  );

const issueLines = (details: unknown): string[] =>
  linesOf(Issues, details, ({ issues }) =>
    issues.length < 2 ? [] : issues.map(({ field, message }) => `  ${clean(field)}: ${clean(message)}`),
  );

function holder({ engineerName, agent, sessionId, since, claimedAt }: z.infer<typeof Holder>): string {
  const at = since ?? claimedAt;
  return `${clean(engineerName)} (${clean(agent)}, session ${shortId(sessionId)})${at === undefined ? '' : ` since ${moment(at)}`}`;
}

const Surplus = z.object({
  undeclared: z.array(z.object({ path: z.string(), heldBy: Holder.extend({ featureSlug: z.string().nullable() }).nullable() })),
});
const undeclaredLines = (details: unknown): string[] =>
  linesOf(Surplus, details, ({ undeclared }) =>
    undeclared.map(({ path, heldBy }) =>
      heldBy === null
        ? `  ${clean(path)}: held by nobody`
        : `  ${clean(path)}: held by ${holder(heldBy)}${heldBy.featureSlug === null ? '' : ` for ${clean(heldBy.featureSlug)}`}`,
    ),
  );

/** Errors whose details help people as well. */
const forms: Partial<Record<ErrorCode, { word: string; lines: (details: unknown) => string[] }>> = {
  NOTHING_AVAILABLE: { word: 'nothing to pick', lines: waitingLines },
  QUEUED_AHEAD: { word: 'refused', lines: queueLines },
  SESSION_LOST: { word: 'refused', lines: lostLines },
  FENCED: { word: 'refused', lines: holderLines },
  UNDECLARED_WRITES: { word: 'refused', lines: undeclaredLines },
  VALIDATION_ERROR: { word: 'error', lines: issueLines },
};
