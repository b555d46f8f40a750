export { createEmbedder } from './embedder.ts';
export { dropEntries, type Entry, indexEntries, markReplaced } from './index.store.ts';
export { createMeaning } from './meaning.ts';
export { createSearch } from './search.ts';
export { searchRoutes } from './search.routes.ts';
