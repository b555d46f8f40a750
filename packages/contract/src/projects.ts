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

/** Paths by name: `bun.lock` anywhere, `dist/` a directory anywhere, `docs/api/` one directory; `*` within a name. */
const PathList = z.array(Line(200)).max(200);
export const editPolicies = ['claim', 'strict', 'warn'] as const;
export const undeclaredPolicies = ['tell', 'refuse'] as const;
export const ProjectPolicy = z
  .object({
    /** An edit of a free path by a session: claimed for it, denied, or only told. */
    edits: z.enum(editPolicies),
    /** Manifests, lockfiles, schemas: never taken by pick; claimed at the edit, given back at the commit. */
    brief: z.array(z.string()),
    /** Generated files: never denied. */
    derived: z.array(z.string()),
    /** What is done keeps its paths until its commit is on the default branch, or for 72 h. */
    landing: z.boolean().default(false),
    /** What `done` does about writes that nobody declared: it tells them, or refuses until they are claimed or explained. */
    undeclared: z.enum(undeclaredPolicies).default('tell'),
  })
  .meta({ id: 'ProjectPolicy' });
export type ProjectPolicy = z.infer<typeof ProjectPolicy>;
export const defaultPolicy: ProjectPolicy = { edits: 'claim', brief: [], derived: [], landing: false, undeclared: 'tell' };

export const PolicyChange = z.strictObject({
  edits: z.enum(editPolicies).optional(),
  brief: PathList.optional(),
  derived: PathList.optional(),
  landing: z.boolean().optional(),
  undeclared: z.enum(undeclaredPolicies).optional(),
});

export const UpdateProjectBody = z
  .strictObject({
    name: Line(120).optional(),
    repoUrl: Text(1000).nullish(),
    repoPath: Text(1000).nullish(),
    defaultBranch: Line(255).optional(),
    policy: PolicyChange.optional(),
  })
  .refine((body) => Object.keys(body).length > 0, 'Name at least one field to change.');

export const Project = z
  .object({
    id: z.string(),
    name: z.string(),
    slug: z.string(),
    repoUrl: z.string().nullable(),
    repoPath: z.string().nullable(),
    defaultBranch: z.string(),
    policy: ProjectPolicy,
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
export const MemberRoleBody = z.strictObject({ role: Role });
export const Membership = z.object({ projectId: z.string(), engineerId: z.string(), role: Role }).meta({ id: 'Membership' });
export type Membership = z.infer<typeof Membership>;
/** What became free by it: features that are ready again, marked as interrupted. */
export const RemovedMember = z
  .object({ projectId: z.string(), engineerId: z.string(), interrupted: z.array(z.string()) })
  .meta({ id: 'RemovedMember' });
export type RemovedMember = z.infer<typeof RemovedMember>;
