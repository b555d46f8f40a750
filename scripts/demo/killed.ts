import { openTerminal } from './terminal.ts';
import { type Cast, expectRan, type Held } from './story.ts';

/** Ann's second terminal dies without goodbye; her keeper notices. */
export async function killedTerminal({ world, report, watch, ann, ann2, bob1 }: Cast): Promise<void> {
  const { step, check, note } = report;
  step('Ann’s second terminal is killed (SIGKILL), with login-page in its hands');
  const { id: lost } = await ann2.json<{ id: string }>('nexus session show');
  const before = await ann2.json<Held>('nexus feature show login-page');
  expectRan(report, 'she noted how far she was', await ann2.run('nexus save --notes "The form posts. Next: its errors"'), 0, [
    'Saved login-page',
  ]);
  await ann2.run("echo '// half done' >> src/pages/login.ts");
  ann2.kill();
  const died = Date.now();
  const event = await watch.next(({ type, slug }) => type === 'files_released' && slug === 'login-page', 20_000);
  const seconds = event ? (event.at - died) / 1000 : Infinity;
  check('her keeper reports it within 5 s', seconds < 5, `${seconds} s`);
  if (event) note(`free after ${seconds.toFixed(1)} s`);
  const free = await bob1.run('nexus claims check src/auth/login/form.ts src/pages/login.ts');
  expectRan(report, 'its paths are free', free, 0, [/free +src\/auth\/login\/form\.ts/, /free +src\/pages\/login\.ts/]);
  expectRan(report, 'its feature is interrupted', await bob1.run('nexus status'), 0, [/Interrupted \(1\)/, 'login-page']);

  step('Bob takes it over, with her notes and with what she had not committed');
  const resumed = await bob1.run('nexus feature resume login-page --restore-wip');
  expectRan(report, 'resumed', resumed, 0, [
    'Resumed login-page',
    'left by',
    'Next: its errors',
    'Restored what it left uncommitted: 1 file',
  ]);
  expectRan(report, 'her half line is in his clone', await bob1.run('git diff --unified=0 src/pages/login.ts'), 0, ['+// half done']);
  const after = await bob1.json<Held>('nexus feature show login-page');
  check(`the fence has grown (${before.fence} → ${after.fence})`, after.fence > before.fence);

  step('The dead terminal’s agent wakes up late and says that it is done: refused');
  const late = openTerminal({ name: 'Ann, late', cwd: ann.checkout, env: { ...ann.env, NEXUS_SESSION: lost }, report, world });
  const done = await late.run('nexus feature done login-page');
  expectRan(report, 'exit code 3, and it is told who has it now', done, 3, ['lost', 'login-page', 'Bob']);
  const unchanged = await bob1.json<Held & { status: string }>('nexus feature show login-page');
  const same = unchanged.status === 'active' && unchanged.fence === after.fence && unchanged.heldBy.sessionId === after.heldBy.sessionId;
  check('nothing has changed for Bob', same, unchanged);
  expectRan(report, 'he finishes it', await bob1.run('nexus feature done'), 0, ['login-page']);
}
