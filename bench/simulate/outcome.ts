/** When an agent worked on a file, in minutes. */
export type Edit = { file: string; by: string; from: number; to: number };

export type Outcome = {
  /** From the first start to the last piece of work that is merged. */
  makespan: number;
  /** Times that a file was changed by two pieces of work at once. */
  conflicts: number;
  /** Minutes of work done twice. */
  rework: number;
  /** Minutes that agents waited for paths. */
  waited: number;
};

/** Pairs of edits of one file, by two, at one time. */
export function conflictsAmong(edits: Edit[]): number {
  let count = 0;
  for (const [, each] of Map.groupBy(edits, ({ file }) => file)) {
    const inOrder = each.sort((a, b) => a.from - b.from);
    for (const [position, edit] of inOrder.entries()) {
      for (const later of inOrder.slice(position + 1)) {
        if (later.from >= edit.to) break;
        if (later.by !== edit.by) count += 1;
      }
    }
  }
  return count;
}
