import type { Client } from '@nexus/client';
import { type ProjectWithMembers, type RemovedMember, roles } from '@nexus/contract';
import { Argument, type Command, Option } from 'commander';
import { CliError } from '../errors.ts';
import { clean, clockTime, fromNow, table } from '../text.ts';
import { examples, type Runner, wholeNumber } from './command.ts';
import { defined } from './feature-read.ts';
import { allPages } from './pages.ts';

type Role = (typeof roles)[number];
type InviteOptions = { email?: string; expires?: number; role?: Role };
const roleOption = (): Option => new Option('--role <role>', 'default: member').choices([...roles]);

/** Who is in a project, and who may come in. */
export function addPeopleCommands(project: Command, run: Runner): void {
  examples(project.command('members').description('Who is in the project, and as what'), 'nexus project members').action(
    run(async (context) => {
      const { id: projectId, client } = await context.project();
      context.out.data((await client.getProject({ projectId })).members, (members) => memberTable(members, context.out.columns));
    }),
  );

  examples(
    project.command('add-member').description('Add a registered engineer').argument('<engineer>', 'email or id').addOption(roleOption()),
    'nexus project add-member bob@example.com --role readonly',
  ).action(
    run(async (context, engineer: string, { role }: { role?: Role }) => {
      const { id: projectId, client } = await context.project();
      const body = { ...(engineer.includes('@') ? { email: engineer } : { engineerId: engineer }), ...defined({ role }) };
      context.out.data(await client.addMember({ projectId, body }), (member) => `Added ${clean(engineer)} as ${member.role}`);
    }),
  );

  examples(
    project
      .command('role')
      .description('Change what a member may do')
      .argument('<engineer>', 'email or id')
      .addArgument(new Argument('<role>').choices([...roles])),
    'nexus project role bob@example.com lead',
  ).action(
    run(async (context, engineer: string, role: Role) => {
      const { id: projectId, client } = await context.project();
      const engineerId = await memberId(client, projectId, engineer);
      const changed = await client.setMemberRole({ projectId, engineerId, body: { role } });
      context.out.data(changed, () => `${clean(engineer)} is ${changed.role} now`);
    }),
  );

  examples(
    project
      .command('remove-member')
      .description('Take a member out; their sessions here are lost at once, and what they hold is free')
      .argument('<engineer>', 'email or id'),
    'nexus project remove-member bob@example.com',
  ).action(
    run(async (context, engineer: string) => {
      const { id: projectId, client } = await context.project();
      const removed = await client.removeMember({ projectId, engineerId: await memberId(client, projectId, engineer) });
      context.out.data(removed, () => `Removed ${clean(engineer)}${freed(removed)}`);
    }),
  );

  examples(project.command('leave').description('Leave the project; its last lead cannot'), 'nexus project leave').action(
    run(async (context) => {
      const { id: projectId, client } = await context.project();
      const left = await client.leaveProject({ projectId });
      context.out.data(left, () => `Left the project${freed(left)}`);
    }),
  );

  examples(
    project
      .command('invite')
      .description('Make a single-use code with which somebody joins the project')
      .option('--email <address>', 'only this address may use it')
      .option('--expires <hours>', 'default: 168', wholeNumber)
      .addOption(roleOption()),
    'nexus project invite --email bob@example.com',
  ).action(
    run(async (context, { email, expires, role }: InviteOptions) => {
      const { id: projectId, client } = await context.project();
      const invitation = await client.createInvitation({ projectId, body: defined({ email, expiresInHours: expires, role }) });
      context.out.data(invitation, ({ code }) => code);
      context.out.note(
        `Until ${clockTime(invitation.expiresAt)}: nexus login --server ${client.options.server} --invite ${invitation.code} --name <name> --email <address>`,
      );
    }),
  );

  examples(
    project
      .command('invitations')
      .description('Invitations that can still be used; with --revoke ends one')
      .option('--revoke <id>', 'as the list shows it'),
    'nexus project invitations',
    'nexus project invitations --revoke 019ac2f0-…',
  ).action(
    run(async (context, { revoke }: { revoke?: string }) => {
      const { id: projectId, client } = await context.project();
      if (revoke !== undefined)
        return context.out.data(await client.revokeInvitation({ projectId, invitationId: revoke }), ({ id }) => `Revoked invitation ${id}`);
      const open = await allPages((query) => client.listInvitations({ projectId, query }));
      context.out.data(open, () =>
        open.length === 0
          ? ''
          : table(
              ['ROLE', 'FOR', 'BY', 'UNTIL', 'ID'],
              open.map(({ role, email, createdBy, expiresAt, id }) => [role, email ?? 'anyone', createdBy.name, fromNow(expiresAt), id]),
              context.out.columns,
            ),
      );
      if (open.length === 0) context.out.note('No invitation is open. `nexus project invite` makes one.');
    }),
  );
}

export const memberTable = (members: ProjectWithMembers['members'], columns?: number): string =>
  table(
    ['MEMBER', 'EMAIL', 'ROLE', 'ID'],
    members.map((member) => [member.name, member.email, member.role, member.engineerId]),
    columns,
  );

const freed = ({ interrupted }: RemovedMember): string =>
  interrupted.length > 0 ? `; free to be resumed: ${interrupted.map(clean).join(', ')}` : '';

async function memberId(client: Client, projectId: string, engineer: string): Promise<string> {
  if (!engineer.includes('@')) return engineer;
  const { members } = await client.getProject({ projectId });
  const found = members.find(({ email }) => email === engineer.toLowerCase());
  if (found === undefined)
    throw new CliError('notFound', 'NOT_FOUND', `${engineer} is not in this project. \`nexus project members\` lists who is.`);
  return found.engineerId;
}
