/** Sockets by name: which are open under a key, which follow a project. */
export function createGroups<S>() {
  const groups = new Map<string, Set<S>>();
  return {
    add: (name: string, socket: S) => void groups.set(name, (groups.get(name) ?? new Set<S>()).add(socket)),
    remove: (name: string, socket: S) => {
      const group = groups.get(name);
      if (group?.delete(socket) && group.size === 0) groups.delete(name);
    },
    size: (name: string): number => groups.get(name)?.size ?? 0,
    /** A copy: closing a socket takes it out. */
    of: (name: string): S[] => [...(groups.get(name) ?? [])],
    names: (): string[] => [...groups.keys()],
  };
}
