/** Ends the process at a named step, as a crash would: how the tests show what a crash leaves behind. */
export type Failpoint = (point: string) => void;

/** `armed`: `point` or `point:n` for the n-th time it is passed. */
export function createFailpoint({ armed, kill }: { armed: string | undefined; kill: () => void }): Failpoint {
  if (!armed) return () => undefined;
  const [name, count = '1'] = armed.split(':');
  let left = Number(count);
  return (point) => {
    if (point === name && --left === 0) kill();
  };
}
