import type { ProjectExport } from '@nexus/contract';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { usage } from '../errors.ts';
import { decisionsMarkdown, learningsMarkdown } from '../known.ts';
import { clean, cleanBlock, safeJson } from '../text.ts';

/** What `project import` reads; the Markdown beside it is for people, and its features are what `nexus import` takes. */
export const DATA_FILE = 'project.json';
const guide = `# A Nexus project

\`project.json\` is what \`nexus project import\` restores. The Markdown files say the same for people to read.
`;

/** The whole export as files; those of an earlier one are replaced, a folder of anything else is refused. */
export function writeExport(dir: string, data: ProjectExport): string[] {
  if (existsSync(dir) && readdirSync(dir).length > 0 && !existsSync(join(dir, DATA_FILE)))
    throw usage(`${dir} holds other files. Name a new folder, or one that holds an earlier export.`);
  const features = join(dir, 'features');
  rmSync(features, { recursive: true, force: true });
  mkdirSync(features, { recursive: true });
  const files: Array<[name: string, text: string]> = [
    [DATA_FILE, exportText(data)],
    ['README.md', guide],
    ...data.features.map((feature): [string, string] => [join('features', `${feature.slug}.md`), featureMarkdown(feature)]),
    ['learnings.md', learningsMarkdown(data.learnings.map(({ author, ...row }) => ({ ...row, engineerName: author.name })))],
    ['decisions.md', decisionsMarkdown(numbered(data.decisions))],
  ];
  for (const [name, text] of files) writeFileSync(join(dir, name), text);
  return files.map(([name]) => name);
}

export const exportText = (data: ProjectExport): string => `${safeJson(data, 2)}\n`;

function featureMarkdown({ slug, title, lane, priority, touches, dependsOn, spec }: ProjectExport['features'][number]): string {
  const paths = touches.map((touch) => clean(typeof touch === 'string' ? touch : touch.path));
  return `---\n${stringify({ title: clean(title), slug, lane, priority, touches: paths, dependsOn }, { lineWidth: 0 })}---\n\n${cleanBlock(spec)}\n`;
}

function numbered(decisions: ProjectExport['decisions']) {
  const replaced = new Map(decisions.flatMap(({ number, supersedes }) => (supersedes === null ? [] : [[supersedes, String(number)]])));
  return decisions.map(({ author, ...row }) => ({ ...row, engineerName: author.name, supersededBy: replaced.get(row.number) ?? null }));
}
