import type { Client } from '@nexus/client';
import type { Patch } from '@nexus/contract';
import { CliError } from '../errors.ts';
import { sender } from '../messages.ts';
import { clean, fromNow, shortId } from '../text.ts';

/** By its id, or by the end of it as lists show it. */
export async function findPatch(client: Client, projectId: string, wanted: string): Promise<string> {
  if (wanted.length === 36) return wanted;
  for (let cursor: string | undefined, more = wanted.length >= 4; more;) {
    const query = { state: 'any' as const, limit: 100, ...(cursor === undefined ? {} : { cursor }) };
    const { items, nextCursor } = await client.listPatches({ projectId, query });
    const found = items.find(({ id }) => id.endsWith(wanted));
    if (found !== undefined) return found.id;
    [cursor, more] = [nextCursor ?? undefined, nextCursor !== null];
  }
  throw new CliError(
    'notFound',
    'NOT_FOUND',
    `No patch of this project ends in "${clean(wanted)}". \`nexus patch list --all\` shows them.`,
  );
}

export const pathsOf = ({ paths }: Pick<Patch, 'paths'>): string =>
  paths.slice(0, 3).map(clean).join(', ') + (paths.length > 3 ? ` and ${paths.length - 3} more` : '');

/** One line: what and whose. */
export const titleOf = (patch: Patch): string =>
  `${shortId(patch.id)} of ${sender(patch.author)} to ${pathsOf(patch)}, ${fromNow(patch.createdAt)}`;

export const stateOf = ({ state, freeSince }: Patch): string =>
  state === 'open' && freeSince !== null ? 'open, its paths are free' : state;
