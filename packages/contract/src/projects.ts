import { z } from 'zod';
import { Email } from './auth.ts';
import { Line, Role, Slug, Text, Timestamp } from './common.ts';

export const CreateProjectBody = z.strictObject({
  name: Line(120),
  slug: Slug,
  repoUrl: Text(1000).nullish(),
  repoPath: Text(1000).nullish(),
  defaultBranch: Line(255).default('main'),
});

export const Project = z
  .object({
    id: z.string(),
    name: z.string(),
    slug: z.string(),
    repoUrl: z.string().nullable(),
    repoPath: z.string().nullable(),
    defaultBranch: z.string(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Project' });
export type Project = z.infer<typeof Project>;

export const ProjectWithMembers = Project.extend({
  members: z.array(z.object({ engineerId: z.string(), role: Role, name: z.string(), email: z.string() })),
}).meta({ id: 'ProjectWithMembers' });
export type ProjectWithMembers = z.infer<typeof ProjectWithMembers>;

export const AddMemberBody = z
  .strictObject({ engineerId: z.string().max(64).optional(), email: Email.optional(), role: Role.default('member') })
  .refine((body) => (body.engineerId === undefined) !== (body.email === undefined), {
    message: 'Give either engineerId or email.',
    path: ['engineerId'],
  });
export const Membership = z.object({ projectId: z.string(), engineerId: z.string(), role: Role }).meta({ id: 'Membership' });
export type Membership = z.infer<typeof Membership>;
