import type { Client } from '@nexus/client';
import { type Allocated, type Allocation, allocationKinds, defaultPorts } from '@nexus/contract';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CliError } from '../errors.ts';
import { asHolder } from '../held.ts';
import { machineId } from '../machine.ts';
import { isFree, usedPorts } from '../ports.ts';
import { clean, clockTime, shortId, table } from '../text.ts';
import { examples, type Runner, wholeNumber } from './command.ts';
import { defined } from './feature-read.ts';

type PortOptions = { range?: { from: number; to: number }; shared?: boolean };

export function addAllocCommands(program: Command, run: Runner): void {
  const alloc = examples(
    program.command('alloc').description('What nobody else has: a free port, or the next number of a counter'),
    'PORT=$(nexus alloc port) npm run dev',
    'nexus alloc number migrations --start-at 42     # prints 42, then 43: never one number twice',
  );

  examples(
    alloc
      .command('port')
      .description('A port that is free in the project and on this machine; held until it is freed, or this session is over')
      .argument('[name]', 'the same name gives this session the same port', 'default')
      .addOption(
        new Option('--range <from-to>', `look there; default: ${defaultPorts.from}-${defaultPorts.to}`).argParser((text: string) =>
          range(text),
        ),
      )
      .option('--shared', 'one for all machines, as on a server that everybody uses; default: each machine has its own'),
    'nexus alloc port',
    'nexus alloc port database --range 5400-5499 --json',
  ).action(
    run(async (context, name: string, options: PortOptions) => {
      const { project, sessions, settings, out } = context;
      const { id: projectId, client } = await project();
      const session = await (await sessions()).openId();
      const where = options.shared ? { shared: true } : { machine: machineId((await settings()).dirs.state) };
      const got = await portFor(client, projectId, session, { ...defaultPorts, ...options.range, ...where, name });
      out.data(got, ({ number }) => String(number));
      out.note(`Held by this session as ${clean(got.resource ?? '')}; \`nexus alloc free ${clean(name)}\` gives it back.`);
    }),
  );

  examples(
    alloc
      .command('number')
      .description('The next number of a counter, such as that of the next migration; never given again')
      .argument('<name>', 'the counter')
      .option('--start-at <number>', 'at least this one: where numbers are in use that nobody allocated', wholeNumber),
    'nexus alloc number migrations --start-at 42',
  ).action(
    run(async ({ project, sessions, out }, name: string, { startAt }: { startAt?: number }) => {
      const { id: projectId, client } = await project();
      const session = await (await sessions()).openId();
      const body = { kind: 'number' as const, name, ...defined({ startAt }) };
      out.data(await client.allocate({ projectId, body }, { session }), ({ number }) => String(number));
    }),
  );

  examples(
    alloc
      .command('list')
      .description('Who got what, newest first')
      .addOption(new Option('--kind <kind>', 'only these').choices([...allocationKinds]))
      .option('--name <name>', 'only under this name')
      .option('--held', 'only ports that are held now')
      .option('--limit <number>', 'at most this many', wholeNumber)
      .option('--cursor <cursor>', 'go on where a page ended'),
    'nexus alloc list --held',
    'nexus alloc list --name migrations --json',
  ).action(
    run(
      async (
        { project, out },
        { held, ...options }: { kind?: Allocation['kind']; name?: string; held?: boolean; limit?: number; cursor?: string },
      ) => {
        const { id: projectId, client } = await project();
        const state = held ? ('held' as const) : undefined;
        const page = await client.listAllocations({ projectId, query: defined({ ...options, state }) });
        out.data(page, ({ items }) =>
          items.length === 0 ? '' : table(['NUMBER', 'NAME', 'KIND', 'WHO', 'SESSION', 'SINCE', 'STATE'], items.map(row), out.columns),
        );
        if (page.items.length === 0) out.note('Nothing was allocated.');
        if (page.nextCursor !== null) out.note(`More: --cursor ${page.nextCursor}`);
      },
    ),
  );

  examples(
    alloc
      .command('free')
      .description('Give a port of this session back; numbers are given for good')
      .argument('[name]', 'its name or its number; default: all of this session'),
    'nexus alloc free',
    'nexus alloc free database',
  ).action(
    run(async (context, name: string | undefined) => {
      const { project, out } = context;
      const { id: projectId, client } = await project();
      const freed = await asHolder(context, async (session) => {
        const mine = await portsOf(client, projectId, session);
        const meant = mine.filter((one) => name === undefined || one.name === name.toLowerCase() || String(one.number) === name);
        if (meant.length === 0)
          throw new CliError(
            'notFound',
            'NOTHING_HELD',
            'This session holds no such port. `nexus alloc list --held` shows who holds which.',
          );
        const paths = meant.flatMap(({ resource }) => resource ?? []);
        await client.releaseClaims({ projectId, body: { paths } }, { session });
        return meant;
      });
      out.data(freed, (all) => all.map(({ number, name: of }) => `Freed ${number} (${clean(of)})`).join('\n'));
    }),
  );
}

type Wanted = { name: string; from: number; to: number; machine?: string; shared?: boolean };

/** What is held in the project only the server knows; what else listens on this machine only this machine. */
async function portFor(client: Client, projectId: string, session: string, wanted: Wanted): Promise<Allocated> {
  const ask = (exclude: number[]) => client.allocate({ projectId, body: { kind: 'port', ...wanted, exclude } }, { session });
  let got = await ask([]);
  let known: number[] | undefined;
  // What listens on a port that the session had before is most likely its own.
  while (got.fresh && !wanted.shared && !(await isFree(got.number))) {
    const { number, resource } = got;
    known = [...new Set([...(known ?? (await usedPorts(wanted.from, wanted.to))), number])].slice(-1000);
    try {
      got = await ask(known);
    } catch (error) {
      // There is no better one, and this one is of no use.
      if (resource !== null) await client.releaseClaims({ projectId, body: { paths: [resource] } }, { session });
      throw error;
    }
  }
  return got;
}

/** Those that this very session holds; its claims say which. */
async function portsOf(client: Client, projectId: string, session: string): Promise<Allocation[]> {
  const claimed = await client.myClaims({ projectId }, { session });
  const held = new Set(claimed.map(({ filePath, sessionId }) => `${sessionId} ${filePath}`));
  const mine: Allocation[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await client.listAllocations({ projectId, query: { state: 'held', limit: 100, ...defined({ cursor }) } });
    mine.push(...page.items.filter(({ sessionId, resource }) => held.has(`${sessionId} ${resource}`)));
    if (page.nextCursor === null) return mine;
    cursor = page.nextCursor;
  }
}

function range(text: string): { from: number; to: number } {
  const [, from = '', to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const given = { from: Number(from), to: Number(to) };
  if (from === '' || given.from < 1 || given.to > 65_535 || given.from > given.to)
    throw new InvalidArgumentError('Give two ports, as in 3000-3999.');
  return given;
}

const row = ({ number, name, kind, engineerName, agent, sessionId, at, state }: Allocation): string[] => [
  String(number),
  name,
  kind,
  `${engineerName}/${agent}`,
  shortId(sessionId),
  clockTime(at),
  state,
];
