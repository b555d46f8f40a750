import { openTerminal } from './terminal.ts';
import { buryKeeper, type Cast, expectRan } from './story.ts';
import { lease } from './world.ts';

/** Nobody is left to report a death: the lease and the grace period end the hold. */
export async function aloneWithoutKeeper({ world, report, watch, ann, ann1, bob1 }: Cast): Promise<void> {
  const { step, check, note } = report;
  step('Ann’s first terminal picks checkout; then it and her keeper are killed at once');
  expectRan(report, 'picked', await ann1.run('nexus feature pick checkout'), 0, ['Picked checkout']);
  const { id: lost } = await ann1.json<{ id: string }>('nexus session show');
  const keeper = await buryKeeper(world, ann1);
  process.kill(keeper, 'SIGKILL');
  world.unbury(keeper);
  ann1.kill();
  const died = Date.now();
  expectRan(report, 'nobody can know yet: Bob is refused', await bob1.run('nexus feature pick checkout'), 3, ['checkout', 'Ann']);
  const most = lease.ttl + lease.grace;
  const event = await watch.next(({ type, slug }) => type === 'files_released' && slug === 'checkout', 30_000);
  const seconds = event ? (event.at - died) / 1000 : Infinity;
  check(
    `lost after at most TTL + grace period (${lease.ttl} s + ${lease.grace} s), and 2 s for the sweep`,
    seconds <= most + 2,
    `${seconds} s`,
  );
  if (event) note(`free after ${seconds.toFixed(1)} s`);
  expectRan(report, 'now Bob picks it', await bob1.run('nexus feature pick checkout'), 0, ['Picked checkout']);
  const late = openTerminal({ name: 'Ann, late', cwd: ann.checkout, env: { ...ann.env, NEXUS_SESSION: lost }, report, world });
  const done = await late.run('nexus feature done checkout');
  expectRan(report, 'and her late `done` is refused', done, 3, ['lost', 'Bob']);
  expectRan(report, 'he finishes it', await bob1.run('nexus feature done'), 0, ['checkout']);
}
