/** How many parts a name has at most, and how long it is at most: what fits on a line. */
export const maxResourceParts = 8;
export const maxResourceLength = 200;

const part = '[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?';
const named = new RegExp(`^res:(${part}(?:/${part}){0,${maxResourceParts - 1}})(?:@(${part}))?$`);

/**
 * The key of a resource as it is written: `res:port/5432`, or `res:port/5432@laptop` for the one of a machine alone. Parts
 * are joined by colons, for a name is above no other name; but the whole resource is above those of its machines, so that
 * whoever has `res:port/5432` has it everywhere, and two machines' stand side by side. Undefined: not a resource's name.
 */
export function resourceNode(path: string): string | undefined {
  const spelled = path.toLowerCase();
  const [, name, machine] = (spelled.length <= maxResourceLength && named.exec(spelled)) || [];
  if (name === undefined) return undefined;
  const node = `res:${name.replaceAll('/', ':')}`;
  return machine === undefined ? node : `${node}/@${machine}`;
}

/** How a resource's name is shown: there is one spelling. */
export const resourceDisplay = (path: string): string => path.toLowerCase();
