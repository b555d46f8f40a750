import type { Command } from 'commander';
import { logInWith, readToken, register } from '../account.ts';
import { usage } from '../errors.ts';
import { clean } from '../text.ts';
import { examples, type Runner } from './command.ts';
import { askSecret } from './prompts.ts';

type LoginOptions = { register?: boolean; name?: string; email?: string; invite?: string; token?: string; setupCode?: string };

export function addLoginCommands(program: Command, run: Runner): void {
  examples(
    program
      .command('login')
      .description('Log in at a server, or register there')
      .option('--register', 'make an account; needs --name and --email')
      .option('--name <name>')
      .option('--email <address>')
      .option('--invite <code>', 'join the project of this invitation, registering when --name and --email are given')
      .option('--token <key>', 'an API key; - reads it from stdin')
      .option('--setup-code <code>', 'printed by a new server that is open to a network'),
    'nexus login --register --name "Ada" --email ada@example.com',
    'nexus login --token - < key.txt',
    'nexus login --invite 7f3k… --name "Bob" --email bob@example.com',
  ).action(
    run(async (context, { register: wantsAccount, name, email, invite, token, setupCode }: LoginOptions) => {
      const { server } = await context.settings();
      if (token !== undefined && wantsAccount) throw usage('Give either --token or --register.');
      const makesAccount =
        wantsAccount === true || (token === undefined && (name !== undefined || email !== undefined || setupCode !== undefined));
      if (makesAccount) {
        if (name === undefined || email === undefined) throw usage('Registering needs --name <name> and --email <address>.');
        const made = await register(context, { name, email, invite, setupCode });
        return context.out.data(
          { server, ...made },
          ({ engineer }) => `Registered at ${server} as ${clean(engineer.name)} <${clean(engineer.email)}>`,
        );
      }
      if (token !== undefined || invite === undefined) {
        const key = token === undefined ? await askForKey(context.interactive, server) : await readToken(context, token);
        const engineer = await logInWith(context, key);
        if (invite === undefined)
          return context.out.data(
            { server, engineer, projectId: null },
            () => `Logged in at ${server} as ${clean(engineer.name)} <${clean(engineer.email)}>`,
          );
      }
      const client = await context.with({}).client();
      const { projectId, role } = await client.acceptInvitation({ body: { code: invite ?? '' } });
      const { id, name: own, email: address } = await client.me();
      context.out.data({ server, engineer: { id, name: own, email: address }, projectId }, () => `Joined project ${projectId} as ${role}`);
    }),
  );

  examples(
    program.command('logout').description('Forget the key of a server'),
    'nexus logout',
    'nexus logout --server https://nexus.example.com',
  ).action(
    run(async ({ settings, credentials, out }) => {
      const { server } = await settings();
      const removed = (await credentials()).remove(server);
      out.data({ server, removed }, () => (removed ? `Logged out of ${server}` : `Nobody was logged in at ${server}`));
    }),
  );

  examples(program.command('whoami').description('Whose key is used, and where'), 'nexus whoami --json').action(
    run(async ({ client, out }) => {
      const made = await client();
      out.data(
        { ...(await made.me()), server: made.options.server },
        ({ name, email, role, server }) => `${clean(name)} <${clean(email)}>, ${role} at ${server}`,
      );
    }),
  );
}

async function askForKey(interactive: boolean, server: string): Promise<string> {
  if (!interactive) throw usage('Without a terminal, give --token - (stdin), or --register with --name and --email.');
  return askSecret(`Your API key for ${server}`);
}
