import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Decisions } from './decisions.ts';
import type { Learnings } from './learnings.ts';

export function knowledgeRoutes(route: Router, { learnings, decisions }: { learnings: Learnings; decisions: Decisions }): void {
  const slugOf = (params: Record<string, string>) => params['slug'] ?? '';
  route(api.addLearning, ({ actor, params, body }) => learnings.add(actor, slugOf(params), body));
  route(api.listLearnings, ({ actor, params, query }) => learnings.ofFeature(actor.projectId, slugOf(params), query));
  route(api.addNote, ({ actor, body }) => learnings.addNote(actor, body));
  route(api.listNotes, ({ actor, query }) => learnings.list(actor.projectId, query));
  route(api.addDecision, ({ actor, body }) => decisions.add(actor, body));
  route(api.listDecisions, ({ actor, query }) => decisions.list(actor.projectId, query));
  route(api.getDecision, ({ actor, params }) => decisions.get(actor.projectId, params['decisionId'] ?? ''));
}
