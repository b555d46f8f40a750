import { ProjectExport } from '@nexus/contract';
import type { Command } from 'commander';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { usage } from '../errors.ts';
import { readJson } from '../files.ts';
import { clean } from '../text.ts';
import { DATA_FILE, exportText, writeExport } from '../transfer/export.ts';
import { examples, type Runner } from './command.ts';

/** A big project takes the server longer than a usual call. */
const PATIENCE_MS = 120_000;

export function addTransferCommands(project: Command, run: Runner): void {
  examples(
    project
      .command('export')
      .description('Write a project’s settings, features, learnings and decisions to a folder, or to one JSON file')
      .argument('<path>', 'a folder; or a file that ends in .json; - is stdout'),
    'nexus project export backup/',
    'nexus project export shop.json',
  ).action(
    run(async (context, path: string) => {
      const { id: projectId, client } = await context.project();
      const data = await client.with({ timeout: PATIENCE_MS }).exportProject({ projectId });
      if (path === '-') return context.out.line(exportText(data));
      const place = resolve(context.cwd, path);
      const folder = !place.endsWith('.json');
      const files = folder ? writeExport(place, data) : [place];
      if (!folder) writeFileSync(place, exportText(data));
      context.out.data({ path: place, files, ...countsOf(data) }, (shown) => `Exported ${told(shown)} to ${place}`);
      context.out.note('Not in it: members, keys, sessions, holds, checkpoints, messages, patches and events.');
    }),
  );

  examples(
    project
      .command('import')
      .description('Restore an export into a project that is empty: all of it, or nothing')
      .argument('<path>', 'the folder or file that `nexus project export` wrote'),
    'nexus project create "Web shop" && nexus project import backup/',
  ).action(
    run(async (context, path: string) => {
      const body = readExport(resolve(context.cwd, path));
      const { id: projectId, client } = await context.project();
      const imported = await client.with({ timeout: PATIENCE_MS }).importProject({ projectId, body });
      context.out.data(imported, (shown) => `Imported ${told(shown)}`);
      context.out.note('Who wrote what stays as it was. Invite the others: `nexus project invite`.');
    }),
  );
}

function readExport(place: string): ProjectExport {
  const file = existsSync(place) && statSync(place).isDirectory() ? join(place, DATA_FILE) : place;
  const content = readJson(file);
  if (content === undefined) throw usage(`${file}: there is no such file.`);
  const parsed = ProjectExport.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw usage(
    `${file}: ${clean(issue?.path.join('.') || 'the file')}: ${clean(issue?.message ?? 'is no export of Nexus')}. Nothing was imported.`,
  );
}

type Counts = { features: number; learnings: number; decisions: number };
const countsOf = ({ features, learnings, decisions }: ProjectExport): Counts => ({
  features: features.length,
  learnings: learnings.length,
  decisions: decisions.length,
});
const told = ({ features, learnings, decisions }: Counts): string => `${features} features, ${learnings} learnings, ${decisions} decisions`;
