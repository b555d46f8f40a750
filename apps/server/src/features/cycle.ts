/** The way from `start` back to itself, if there is one. */
export function findCycle(graph: Map<string, string[]>, start: string): string[] | undefined {
  const path: string[] = [];
  const seen = new Set<string>();
  const walk = (slug: string): string[] | undefined => {
    if (slug === start && path.length > 0) return [...path, slug];
    if (seen.has(slug)) return undefined;
    seen.add(slug);
    path.push(slug);
    for (const next of graph.get(slug) ?? []) {
      const cycle = walk(next);
      if (cycle) return cycle;
    }
    path.pop();
    return undefined;
  };
  return walk(start);
}
