import type { Client } from '@nexus/client';
import type { Decision, Learning } from '@nexus/contract';
import { clean, cleanBlock } from './text.ts';

/** What was learned and decided on a feature so far, oldest first: for whoever starts on it. */
export type Known = { learnings: Learning[]; decisions: Decision[] };

export async function knownOf(client: Client, projectId: string, slug: string): Promise<Known> {
  const [learnings, decisions] = await Promise.all([
    client.listLearnings({ projectId, slug, query: { limit: 100 } }),
    client.listDecisions({ projectId, query: { feature: slug, limit: 100 } }),
  ]);
  return { learnings: learnings.items.toReversed(), decisions: decisions.items.toReversed() };
}

const day = (at: string): string => at.slice(0, 10);
const part = (name: string, text: string | null | undefined): string[] => (text ? ['', `${name}: ${cleanBlock(text).trim()}`] : []);

type NoteText = Pick<Learning, 'kind' | 'tags' | 'scope' | 'content' | 'engineerName' | 'createdAt'>;
type DecisionText = Pick<Decision, 'number' | 'title' | 'decision' | 'engineerName' | 'createdAt' | 'supersededBy'> & {
  rationale?: string | null | undefined;
  alternatives?: string | null | undefined;
};

function learningMarkdown({ kind, tags, scope, content, engineerName, createdAt }: NoteText): string {
  const marks = [kind, ...tags.map((tag) => `#${tag}`), ...(scope === 'project' ? ['project note'] : [])].map(clean).join(' ');
  return `${cleanBlock(content).trim()}\n\n— ${clean(engineerName)}, ${day(createdAt)}, ${marks}\n`;
}

function decisionMarkdown(decision: DecisionText): string {
  const { number, title, rationale, alternatives, engineerName, createdAt, supersededBy } = decision;
  return [
    `## ${number}. ${clean(title)}${supersededBy === null ? '' : ' (replaced)'}`,
    '',
    cleanBlock(decision.decision).trim(),
    ...part('Rationale', rationale),
    ...part('Alternatives', alternatives),
    '',
    `— ${clean(engineerName)}, ${day(createdAt)}`,
    '',
  ].join('\n');
}

export const learningsMarkdown = (learnings: NoteText[]): string => ['# Learnings\n', ...learnings.map(learningMarkdown)].join('\n---\n\n');
export const decisionsMarkdown = (decisions: DecisionText[]): string => ['# Decisions\n', ...decisions.map(decisionMarkdown)].join('\n');
