import { CreateFeatureBody, type Feature } from '@nexus/contract';
import { formatClaim, parseClaim } from '@nexus/paths';
import { basename } from 'node:path';
import { slugOf } from '../commands/feature-edit.ts';
import { parseSpecFile } from '../front-matter.ts';

export type SpecText = { path: string; text: string };
/** `unchanged`: the server has it as the file says. `differs`: it has another one under that slug, which stays. */
export type Planned = { path: string; slug: string | null } & (
  | { outcome: 'create'; body: CreateFeatureBody & { slug: string } }
  | { outcome: 'unchanged' | 'differs' | 'failed'; reason: string }
);

type Read = { path: string; body: CreateFeatureBody & { slug: string } } | { path: string; slug: string | null; reason: string };
const failed = (path: string, slug: string | null, reason: string): Planned => ({ path, slug, outcome: 'failed', reason });

/** What an import would do with each file, those that others wait for first. Nothing is asked or changed. */
export function planImport(files: SpecText[], existing: Feature[], options: { ready: boolean }): Planned[] {
  const known = new Map(existing.map((feature) => [feature.slug, feature]));
  const read = files.map((file) => readFeature(file, options));
  const wanted = new Map<string, { path: string; body: CreateFeatureBody & { slug: string } }>();
  const planned: Planned[] = [];
  for (const one of read) {
    if (!('body' in one)) {
      planned.push(failed(one.path, one.slug, one.reason));
      continue;
    }
    const { slug } = one.body;
    const [other, there] = [wanted.get(slug), known.get(slug)];
    if (other) planned.push(failed(one.path, slug, `${other.path} has the slug ${slug} as well`));
    else if (there && says(there, one.body)) planned.push({ path: one.path, slug, outcome: 'unchanged', reason: 'exists already' });
    else if (there)
      planned.push({
        path: one.path,
        slug,
        outcome: 'differs',
        reason: `exists; change it with nexus feature edit ${slug} --from ${one.path}`,
      });
    else wanted.set(slug, one);
  }
  return [...planned, ...inOrder(wanted, new Set(known.keys()))];
}

/** Each after what it depends on. What waits for something that will not be there, or for itself, fails. */
function inOrder(wanted: Map<string, { path: string; body: CreateFeatureBody & { slug: string } }>, there: Set<string>): Planned[] {
  const ordered: Planned[] = [];
  const left = new Map(wanted);
  for (let before = -1; before !== left.size;) {
    before = left.size;
    for (const [slug, { path, body }] of left) {
      if (!(body.dependsOn ?? []).every((other) => there.has(other))) continue;
      ordered.push({ path, slug, outcome: 'create', body });
      there.add(slug);
      left.delete(slug);
    }
  }
  for (const [slug, { path, body }] of left) {
    const missing = (body.dependsOn ?? []).filter((other) => !there.has(other));
    const waits = missing.every((other) => left.has(other));
    ordered.push(
      failed(
        path,
        slug,
        waits
          ? `waits for ${missing.join(', ')}, which cannot come first`
          : `depends on ${missing.join(', ')}, which is neither here nor in the project`,
      ),
    );
  }
  return ordered;
}

function readFeature({ path, text }: SpecText, { ready }: { ready: boolean }): Read {
  const name = basename(path).replace(/\.(md|markdown)$/i, '');
  try {
    const { spec, ...fields } = parseSpecFile(text, path);
    const body = { ...fields, title: fields.title ?? headingOf(spec) ?? name, slug: fields.slug ?? slugOf(name), spec, ready };
    const parsed = CreateFeatureBody.safeParse(body);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      return { path, slug: body.slug, reason: `${issue?.path.join('.')}: ${issue?.message}` };
    }
    for (const touch of body.touches ?? []) {
      const claim = parseClaim(touch);
      if (!claim.ok) return { path, slug: body.slug, reason: `touches: ${claim.message}` };
    }
    return { path, body };
  } catch (error) {
    return { path, slug: null, reason: error instanceof Error ? error.message : String(error) };
  }
}

const headingOf = (spec: string): string | undefined => /^#\s+(.+)$/m.exec(spec)?.[1]?.trim().slice(0, 200);

/** Whether a feature is what a file asks for; what the file leaves open does not count. */
function says(feature: Feature, { title, spec, lane, priority, touches = [], dependsOn = [] }: CreateFeatureBody): boolean {
  const paths = touches.flatMap((touch) => {
    const claim = parseClaim(touch);
    return claim.ok ? [formatClaim(claim.claim)] : [];
  });
  const same = (a: string[], b: string[]) => a.length === b.length && a.toSorted().join('\n') === b.toSorted().join('\n');
  return (
    feature.title === title &&
    feature.spec.trim() === spec.trim() &&
    (lane === undefined || feature.lane === lane) &&
    (priority === undefined || feature.priority === priority) &&
    same(feature.touches, paths) &&
    same(feature.dependsOn, dependsOn)
  );
}
