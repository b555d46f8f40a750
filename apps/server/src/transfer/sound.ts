import type { ProjectExport } from '@nexus/contract';
import { formatTouches, parseTouches } from '../claims/index.ts';
import { findCycle } from '../features/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Rules } from '../projects/index.ts';

const wrong = (field: string, message: string, value?: unknown) =>
  new AppError('VALIDATION_ERROR', `${field}: ${message} Nothing was imported.`, {
    details: { field, ...(value === undefined ? {} : { value }) },
  });

/** The features with their paths as they are kept. Throws the first thing that could not be true of any project. */
export function soundFeatures({ features }: ProjectExport, rules: Rules): ProjectExport['features'] {
  const graph = new Map(features.map(({ slug, dependsOn }) => [slug, dependsOn]));
  if (graph.size < features.length) throw wrong('features', 'two of them have one slug.', twice(features.map(({ slug }) => slug)));
  return features.map((feature, at) => {
    const missing = feature.dependsOn.find((slug) => !graph.has(slug));
    if (missing !== undefined) throw wrong(`features.${at}.dependsOn`, `there is no feature ${missing} in the export.`);
    const cycle = findCycle(graph, feature.slug);
    if (cycle) throw wrong(`features.${at}.dependsOn`, `these would wait for each other: ${cycle.join(' → ')}.`);
    return { ...feature, touches: formatTouches(parseTouches(feature.touches, `features.${at}.touches`, rules)) };
  });
}

/** Each number once, and each decision replaced at most once, by a later one. */
export function requireSoundDecisions({ decisions }: ProjectExport): void {
  const numbers = new Set(decisions.map(({ number }) => number));
  if (numbers.size < decisions.length)
    throw wrong('decisions', 'two of them have one number.', twice(decisions.map(({ number }) => number)));
  const replaced = decisions.flatMap(({ supersedes }) => (supersedes === null ? [] : [supersedes]));
  if (new Set(replaced).size < replaced.length) throw wrong('decisions', 'one of them is replaced twice.', twice(replaced));
  decisions.forEach(({ number, supersedes }, at) => {
    if (supersedes !== null && (supersedes >= number || !numbers.has(supersedes)))
      throw wrong(`decisions.${at}.supersedes`, `${supersedes} is no earlier decision of the export.`);
  });
}

export function requireKnownFeatures({ features, learnings, decisions }: ProjectExport): void {
  const slugs = new Set(features.map(({ slug }) => slug));
  for (const [list, items] of Object.entries({ learnings, decisions })) {
    const at = items.findIndex(({ feature }) => feature !== null && !slugs.has(feature));
    if (at >= 0) throw wrong(`${list}.${at}.feature`, `there is no feature ${items[at]?.feature} in the export.`);
  }
}

const twice = <T>(values: T[]): T | undefined => values.find((value, at) => values.indexOf(value) !== at);
