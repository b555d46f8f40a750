import type { Project } from '@nexus/contract';
import { join } from 'node:path';
import type { LinkFile } from './config.ts';
import type { Context } from './context.ts';
import { writeJson } from './files.ts';
import { excludeFromGit } from './git.ts';

/** Writes `.nexus.json`, which says to everybody who clones this repository where its project is. Answers its path. */
export async function linkProject(context: Context, project: Pick<Project, 'id' | 'slug'>): Promise<string> {
  const worktree = await context.worktree();
  const { server } = await context.settings();
  const path = join(worktree?.toplevel ?? context.cwd, '.nexus.json');
  const content: LinkFile = { server, projectId: project.id, slug: project.slug };
  writeJson(path, content);
  if (worktree === undefined) context.out.warn(`this is no git repository; ${path} counts in this directory only`);
  else excludeFromGit(worktree);
  return path;
}
