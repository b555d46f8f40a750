import { compatible, overlaps, parseClaims } from '@nexus/paths';

export type Scope = { slug: string; touches: string[]; dependsOn: string[] };

/** Which features can be worked on side by side: each wave has no two that get in each other's way, nor one that waits for another. */
export function wavesOf(features: Scope[]): string[][] {
  const waves: Scope[][] = [];
  const at = new Map<string, number>();
  const known = new Set(features.map(({ slug }) => slug));
  for (const feature of inOrder(features)) {
    const after = Math.max(-1, ...feature.dependsOn.filter((slug) => known.has(slug)).map((slug) => at.get(slug) ?? -1));
    let wave = after + 1;
    while (waves[wave]?.some((other) => collide(feature.touches, other.touches))) wave += 1;
    (waves[wave] ??= []).push(feature);
    at.set(feature.slug, wave);
  }
  return waves.map((wave) => wave.map(({ slug }) => slug));
}

/** As given, but after what each depends on. */
function inOrder(features: Scope[]): Scope[] {
  const left = new Map(features.map((feature) => [feature.slug, feature]));
  const ordered: Scope[] = [];
  const visit = (feature: Scope) => {
    if (!left.delete(feature.slug)) return;
    for (const slug of feature.dependsOn) {
      const other = left.get(slug);
      if (other) visit(other);
    }
    ordered.push(feature);
  };
  for (const feature of features) visit(feature);
  return ordered;
}

function collide(one: string[], other: string[]): boolean {
  const [a, b] = [one, other].map((paths) =>
    paths.flatMap((path) => {
      const parsed = parseClaims(path);
      return parsed.ok ? parsed.claims : [];
    }),
  );
  return (a ?? []).some((mine) => (b ?? []).some((theirs) => !compatible(mine.mode, theirs.mode) && overlaps(mine, theirs)));
}
