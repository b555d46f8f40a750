import type { Client } from '@nexus/client';
import { type Key, type KeyKind, keyKinds, type Scope, scopes } from '@nexus/contract';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { logInWith } from '../account.ts';
import { CliError, usage } from '../errors.ts';
import { clean, clockTime, fromNow, table } from '../text.ts';
import { examples, type Runner, wholeNumber } from './command.ts';
import { defined } from './feature-read.ts';
import { allPages } from './pages.ts';

type CreateOptions = { kind?: KeyKind; scopes?: Scope[]; bound?: boolean; expires?: number | null };

export function addKeyCommands(program: Command, run: Runner): void {
  const key = examples(
    program.command('key').description('API keys of yours: for further machines, agents and services'),
    'nexus key list',
    'nexus key create ci --kind service --bound',
  );

  examples(
    key.command('list').description('Your keys, newest first').option('--all', 'also those that are revoked or expired'),
    'nexus key list',
  ).action(
    run(async (context, { all }: { all?: boolean }) => {
      const client = await context.client();
      const keys = await keysOf(client, all === true);
      context.out.data(keys, () => keyTable(keys, context.out.columns));
    }),
  );

  examples(
    key
      .command('create')
      .description('Make a key; it is shown this once')
      .argument('<name>', 'what it is for')
      .addOption(new Option('--kind <kind>', 'default: engineer').choices([...keyKinds]))
      .option('--scopes <list>', `with commas, of ${scopes.join(', ')}; default: by kind`, scopeList)
      .option('--bound', 'it works in the linked project alone; an agent’s always')
      .option('--expires <time>', 'such as 24h, 90d or never; default: 90d, an agent’s 24h', lifetime),
    'nexus key create laptop',
    'nexus key create ci --kind service --bound --expires 365d',
    'nexus key create night-run --kind agent',
  ).action(
    run(async (context, name: string, { kind, scopes: wanted, bound, expires }: CreateOptions) => {
      const inProject = bound === true || kind === 'agent' ? await context.project() : undefined;
      const client = inProject?.client ?? (await context.client());
      const body = { name, ...defined({ kind, scopes: wanted, projectId: inProject?.id, expiresInHours: expires }) };
      const made = await client.createKey({ body });
      context.out.data(made, ({ apiKey }) => apiKey);
      context.out.note(`${made.prefix}… may ${made.scopes.join(', ')}${made.projectId ? ', in this project alone' : ''}${until(made)}.`);
    }),
  );

  examples(
    key
      .command('rotate')
      .description('A new secret for a key; the one so far stays good for a while. The key you are logged in with is kept for you')
      .argument('<key>', 'its name, its beginning or its id')
      .option('--overlap <hours>', 'default: 24; 0 ends the secret so far at once', wholeNumber),
    'nexus key rotate ci',
    'nexus key rotate nxp_K8Q2mZ4TfA7c --overlap 0',
  ).action(
    run(async (context, wanted: string, { overlap }: { overlap?: number }) => {
      const client = await context.client();
      const [found, { key: used }] = await Promise.all([findKey(client, wanted), client.me()]);
      const rotated = await client.rotateKey({ keyId: found.id, body: defined({ overlapHours: overlap }) });
      // A key from the environment is the environment's to change.
      if (used.id === found.id && !context.io.env['NEXUS_TOKEN']) await logInWith(context, rotated.apiKey);
      context.out.data(rotated, ({ apiKey }) => apiKey);
      const old = rotated.oldSecretUntil;
      context.out.note(old === null ? 'The secret so far is good no more.' : `The secret so far is good until ${clockTime(old)}.`);
    }),
  );

  examples(
    key
      .command('revoke')
      .description('End a key: it is refused everywhere within seconds, and its sockets are closed')
      .argument('<key>', 'its name, its beginning or its id'),
    'nexus key revoke ci',
  ).action(
    run(async (context, wanted: string) => {
      const client = await context.client();
      const { id } = await findKey(client, wanted);
      context.out.data(await client.revokeKey({ keyId: id }), ({ prefix, name }) => `Revoked ${prefix}… (${clean(name)})`);
    }),
  );
}

const keysOf = (client: Client, over: boolean): Promise<Key[]> =>
  allPages((query) => client.listKeys({ query: { ...query, over: over ? 'true' : 'false' } }));

async function findKey(client: Client, wanted: string): Promise<Key> {
  const found = (await keysOf(client, true)).filter(
    ({ id, prefix, name }) => id === wanted || prefix === wanted.slice(0, 16) || name === wanted,
  );
  const live = found.filter(({ revokedAt }) => revokedAt === null);
  const [one, other] = live.length > 0 ? live : found;
  if (one === undefined)
    throw new CliError('notFound', 'NOT_FOUND', `You have no key "${wanted.slice(0, 16)}". \`nexus key list\` shows yours.`);
  if (other !== undefined)
    throw usage(`Several of your keys are named "${wanted}". Name it by its beginning: ${found.map(({ prefix }) => prefix).join(', ')}.`);
  return one;
}

const until = ({ expiresAt }: Key): string => (expiresAt === null ? '' : `, until ${clockTime(expiresAt)}`);

const keyTable = (keys: Key[], columns: number | undefined): string =>
  table(
    ['KEY', 'NAME', 'KIND', 'SCOPES', 'PROJECT', 'LAST USED', 'STATE'],
    keys.map((key) => [
      key.prefix,
      key.name,
      key.kind,
      key.scopes.length === scopes.length ? 'all' : key.scopes.join(','),
      key.projectId ?? 'any',
      key.lastUsedAt === null ? 'never' : fromNow(key.lastUsedAt),
      stateOf(key),
    ]),
    columns,
  );

function stateOf({ revokedAt, expiresAt, oldSecretUntil }: Key): string {
  if (revokedAt !== null) return `revoked ${fromNow(revokedAt)}`;
  if (expiresAt !== null && Date.parse(expiresAt) <= Date.now()) return `expired ${fromNow(expiresAt)}`;
  const old = oldSecretUntil === null ? '' : `; old secret ends ${fromNow(oldSecretUntil)}`;
  return `${expiresAt === null ? 'good' : `ends ${fromNow(expiresAt)}`}${old}`;
}

function scopeList(text: string): Scope[] {
  const named = text.split(',').map((name) => name.trim());
  const known = scopes.filter((scope) => named.includes(scope));
  if (known.length !== new Set(named).size) throw new InvalidArgumentError(`Give some of ${scopes.join(', ')}, with commas.`);
  return known;
}

/** Hours; null: never. */
function lifetime(text: string): number | null {
  if (text === 'never') return null;
  const [, count, unit] = /^(\d{1,5})(h|d)$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('Give hours or days, such as 24h or 90d, or never.');
  return Number(count) * (unit === 'd' ? 24 : 1);
}
