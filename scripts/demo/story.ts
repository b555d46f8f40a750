import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { capture } from '../lib/programs.mjs';
import { aloneWithoutKeeper } from './without-keeper.ts';
import { killedTerminal } from './killed.ts';
import type { Report } from './report.ts';
import { makeRepository } from './repository.ts';
import { openTerminal, type Ran, type Terminal } from './terminal.ts';
import { type World, startWatch } from './world.ts';

export type Held = { fence: number; slug: string; heldBy: { sessionId: string } };
export type Person = { name: string; env: Record<string, string>; checkout: string };
export type Cast = {
  world: World;
  report: Report;
  watch: ReturnType<typeof startWatch>;
  ann: Person;
  bob: Person;
  /** Ann's two terminals are in the same checkout. */
  ann1: Terminal;
  ann2: Terminal;
  bob1: Terminal;
};

type Needs = { world: World; report: Report; server: string; onProject: (id: string) => void };

const loginPage = `---
title: Login page
slug: login-page
lane: now
touches:
  - src/auth/login/form.ts
  - src/pages/login.ts
---

A page to log in. Done when the form posts to the API.
`;

/** The founding story: two terminals of Ann's and one of Bob's want the same files. */
export async function tellStory({ world, report, server, onProject }: Needs): Promise<void> {
  const { step, check } = report;
  const expect = (what: string, ran: Ran, code: number, ...words: (string | RegExp)[]) => expectRan(report, what, ran, code, words);

  const person = (name: string): Person => ({ name, env: world.person(name), checkout: join(world.folder, `${name.toLowerCase()}-shop`) });
  const [ann, bob] = [person('Ann'), person('Bob')];
  const tracked = await makeRepository(ann.checkout, ann.env);

  step(`Ann sets up Nexus in her repository (${tracked} tracked files)`);
  const ann1 = openTerminal({ name: 'Ann 1', cwd: ann.checkout, env: ann.env, report, world });
  const setUp = await ann1.run(
    `nexus setup --server ${server} --register --name Ann --email ann@example.org --project-name "Web shop" --project-slug shop`,
  );
  expect('registered, made the project and linked the repository', setUp, 0, 'Ann', 'shop', '.nexus.json');
  onProject((await ann1.json<{ id: string }>('nexus project info')).id);
  await ann1.run('git add .nexus.json && git commit --quiet --message "Link Nexus"');
  const watch = startWatch(world, { cwd: ann.checkout, env: ann.env });

  step('She writes down the work: from options, and from a Markdown file');
  expect(
    'auth is ready',
    await ann1.run(
      'nexus feature create --slug auth --title "Sign-in tokens" --spec "Tokens that expire." --lane now --touches src/auth/ --touches ro:docs/api.md --ready',
    ),
    0,
    'auth (ready)',
  );
  writeFileSync(join(world.folder, 'login-page.md'), loginPage);
  expect(
    'login-page is a draft',
    await ann1.run(`nexus feature create --from ${join(world.folder, 'login-page.md')}`),
    0,
    'login-page (draft)',
  );
  expect('login-page is ready', await ann1.run('nexus feature ready login-page'), 0, 'Ready: login-page');
  for (const [slug, title] of [
    ['search', 'Search'],
    ['checkout', 'Check out'],
  ]) {
    const made = await ann1.run(`nexus feature create --slug ${slug} --title "${title}" --touches src/${slug}/ --ready`);
    expect(`${slug} is ready`, made, 0, `${slug} (ready)`);
  }

  step('Bob joins from another machine, with an invitation, in a clone of his own');
  const { code: invitation } = await ann1.json<{ code: string }>('nexus project invite --email bob@example.org');
  await capture('git', ['clone', '--quiet', ann.checkout, bob.checkout], { env: bob.env });
  const bob1 = openTerminal({ name: 'Bob', cwd: bob.checkout, env: bob.env, report, world });
  const joined = await bob1.run(`nexus login --server ${server} --invite ${invitation} --name Bob --email bob@example.org`);
  expect('registered with the code', joined, 0, 'Bob');
  expect('the clone knows its project', await bob1.run('nexus project info'), 0, 'shop', 'Ann', 'Bob');
  await bob1.json('nexus session start');
  await buryKeeper(world, bob1);

  step('Ann’s first terminal picks auth');
  const picked = await ann1.run('nexus feature pick auth');
  expect('it holds src/auth/ and everything below', picked, 0, 'Picked auth', 'src/auth');
  await buryKeeper(world, ann1);
  const clean = await ann1.run('git status --porcelain', { quiet: true });
  check('the exported spec is no change to git', clean.stdout.trim() === '', clean.stdout);

  step('Her second terminal, same checkout, same account, wants a file below: refused');
  const ann2 = openTerminal({ name: 'Ann 2', cwd: ann.checkout, env: ann.env, report, world });
  const refused = await ann2.run('nexus feature pick login-page');
  const named = ['src/auth/login/form.ts', 'held as src/auth/', 'by Ann', 'for auth', /since \d\d:\d\d:\d\d/, /until \d\d:\d\d:\d\d/];
  expect('exit code 3; who, feature, paths, since and until', refused, 3, ...named);
  const nothing = await ann2.run('nexus claims check src/pages/login.ts');
  expect('all or nothing: the page’s other path stayed free', nothing, 0, 'free');

  step('It takes what is free instead');
  expect('pick-next gives it search', await ann2.run('nexus feature pick-next'), 0, 'Picked search');

  step('Bob wants auth too: refused');
  expect('exit code 3, naming Ann', await bob1.run('nexus feature pick auth'), 3, 'Ann');
  const guard = await bob1.run('nexus claims check src/auth/token.ts src/cart/index.ts');
  expect(
    'his edit guard sees one held path and a free one',
    guard,
    3,
    /held +src\/auth\/token\.ts/,
    'by Ann',
    /free +src\/cart\/index\.ts/,
  );
  const status = await bob1.run('nexus status');
  expect('status shows both terminals apart', status, 0, 'auth', 'search', /Active features \(2\)/, /Sessions \(3\)/);

  step('Ann’s first terminal is done; the second gives search back and picks login-page');
  expect('done without naming it', await ann1.run('nexus feature done'), 0, 'auth');
  expect('search is given back', await ann2.run('nexus feature release search'), 0, 'Released search');
  expect('login-page is picked', await ann2.run('nexus feature pick login-page'), 0, 'Picked login-page', 'src/auth/login/form.ts');

  const cast: Cast = { world, report, watch, ann, bob, ann1, ann2, bob1 };
  await killedTerminal(cast);
  await aloneWithoutKeeper(cast);

  step('What `nexus watch --jsonl` saw beside all this');
  const { cursor } = await bob1.json<{ cursor: string }>('nexus status');
  const last = Number(cursor.split('.')[1]);
  await watch.upTo(last, 5000);
  const seqs = watch.seen.map(({ seq }) => seq);
  check(`every event once and in order: 1 to ${last}`, seqs.length === last && seqs.every((seq, at) => seq === at + 1), seqs.join(' '));
  const told = watch.seen.map(({ type, slug, reason }) => [type, slug, reason].filter(Boolean).join(' '));
  const plot = [
    'feature_claimed auth',
    'feature_completed auth',
    'feature_claimed login-page',
    'session_ended lost',
    'feature_completed login-page',
  ];
  const missing = plot.filter((line) => !told.includes(line));
  check('the whole plot is among them', missing.length === 0, `missing ${missing.join(', ')} in\n${told.join('\n')}`);
  check('it ends on Ctrl-C with 130', (await watch.stop()) === 130);
}

export function expectRan(report: Report, what: string, ran: Ran, code: number, words: (string | RegExp)[]): void {
  const said = `${ran.stdout}\n${ran.stderr}`;
  const missing = words.filter((word) => (typeof word === 'string' ? !said.includes(word) : !word.test(said)));
  const holds = ran.code === code && missing.length === 0;
  report.check(what, holds, `exit code ${ran.code} instead of ${code}, or not said: ${missing.map(String).join(', ')}\n${said}`);
}

type KeeperStatus = { pid: number | null; sessions: { sessionId: string; pid: number }[] };

/** Answers the keeper's process, which ends with the demo from now on. */
export async function buryKeeper(world: World, terminal: Terminal): Promise<number> {
  const { pid } = await terminal.json<KeeperStatus>('nexus keeper status');
  if (pid === null) throw new Error('No keeper runs, although a session was opened.');
  world.bury(pid);
  return pid;
}
