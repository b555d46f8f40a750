import type { Conflict } from '@nexus/contract';
import { lands } from '../conflicts.ts';
import { clean, clockTime, fromNow, shortId } from '../text.ts';

type Holder = Conflict['claimedBy'];

export const holderName = ({
  engineerName,
  agent,
  sessionId,
  featureSlug,
}: Pick<Holder, 'engineerName' | 'agent' | 'sessionId' | 'featureSlug'>): string =>
  `${clean(engineerName)} (${clean(agent)}, session ${shortId(sessionId)}${featureSlug === null ? '' : `, feature ${clean(featureSlug)}`})`;

/** The first denial of a path in a turn: who, for what, since and until when, and the way on. Facts: orders look like an injection. */
export function fullDenial(conflict: Conflict, holdsFeature: boolean): string {
  const { filePath, heldPath, claimedBy } = conflict;
  const path = clean(filePath);
  const as = clean(heldPath) === path ? '' : ` (held as ${clean(heldPath)})`;
  const next = holdsFeature ? '' : ', `nexus feature pick-next` gives work that is free';
  // Nobody is there to be asked for what only waits to land.
  const ask = claimedBy.landing ? '' : `; \`nexus request ${quoted(path)}\` asks for it`;
  const leave =
    claimedBy.landing || claimedBy.parked ? '' : `, \`nexus patch create ${quoted(path)} --as <edited copy>\` leaves it a small change`;
  return `${path} is claimed by ${holderName(claimedBy)}${as} since ${clockTime(claimedBy.claimedAt)}, ${until(claimedBy)}. Nothing was written. Other files are not affected${ask}${leave}${next}.`;
}

export const shortDenial = ({ filePath, claimedBy }: Conflict): string =>
  `${clean(filePath)} is still claimed by ${holderName(claimedBy)}.`;

function until({ parked, expiresAt, featureSlug, landing }: Holder): string {
  if (landing) return lands(landing.commit, featureSlug);
  if (parked) return `parked: nobody works on it now, and \`nexus feature resume ${clean(featureSlug ?? '<slug>')}\` takes it over`;
  if (expiresAt === null) return 'until it is released';
  return `renewed while that session lives, at the latest known until ${clockTime(expiresAt)} (${fromNow(expiresAt)})`;
}

export const undeclared = (paths: string[]): string =>
  `${listed(paths, 3)} ${paths.length === 1 ? 'is' : 'are'} not declared by this session, and this project allows only declared edits (policy strict). \`nexus claims add ${quoted(paths[0] ?? '')}\` declares it.`;

export const untold = (paths: string[]): string =>
  `${listed(paths, 3)} ${paths.length === 1 ? 'is' : 'are'} free, and not claimed by this session: another one may take it meanwhile.`;

export const sweep = (command: string, dirty: { path: string; holder: string }[], instead: string): string =>
  `\`${clean(command)}\` writes everything that is uncommitted in this worktree, also what other live sessions are working on: ${dirty
    .slice(0, 3)
    .map(({ path, holder }) => `${clean(path)} (${holder})`)
    .join(', ')}${more(dirty.length - 3)}. It was not run. The narrow form: ${instead}.`;

export const afterwards = (conflicts: Conflict[]): string =>
  `While this command ran, paths changed that others hold: ${conflicts
    .slice(0, 4)
    .map((conflict) => `${clean(conflict.filePath)} (${holderName(conflict.claimedBy)})`)
    .join(', ')}${more(conflicts.length - 4)}.`;

export const listed = (items: string[], most: number): string => items.slice(0, most).map(clean).join(', ') + more(items.length - most);

const more = (rest: number): string => (rest > 0 ? ` and ${rest} more` : '');

/** As one word of a shell. */
export const quoted = (path: string): string => (/^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`);
