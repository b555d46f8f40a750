export { createCatchUp, indexMissing } from './catch-up.ts';
export { createDecisions } from './decisions.ts';
export { createLearnings } from './learnings.ts';
export { knowledgeRoutes } from './knowledge.routes.ts';
