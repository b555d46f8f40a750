import { z } from 'zod';
import { AcceptInvitationBody, Invitation, InviteBody, Me, RegisterBody, Registered } from './auth.ts';
import { Checkpoint, CheckpointBody, LatestCheckpointQuery } from './checkpoints.ts';
import {
  Check,
  CheckBody,
  Claim,
  ClaimBody,
  HeldPaths,
  RefreshBody,
  Refreshed,
  ReleaseClaimsBody,
  Verification,
  VerifyBody,
} from './claims.ts';
import { page } from './common.ts';
import type { ErrorCode } from './errors.ts';
import {
  AvailableFeature,
  CreateFeatureBody,
  Deleted,
  Feature,
  ForceReleaseBody,
  HoldActionBody,
  ListFeaturesQuery,
  PickNextBody,
  UpdateFeatureBody,
} from './features.ts';
import { EventsPage, EventsQuery, WsTicket, WsTicketBody } from './feed.ts';
import {
  AddDecisionBody,
  AddLearningBody,
  AddNoteBody,
  Decision,
  DecisionWithChain,
  Learning,
  ListDecisionsQuery,
  ListLearningsQuery,
  ListNotesQuery,
} from './knowledge.ts';
import { AddMemberBody, CreateProjectBody, Membership, Project, ProjectWithMembers, UpdateProjectBody } from './projects.ts';
import { MoveBody, ReorderBody, Roadmap } from './roadmap.ts';
import { SearchPage, SearchQuery } from './search.ts';
import { ActiveSession, EndSessionBody, Heartbeat, Heartbeats, HeartbeatsBody, OpenSessionBody, Session } from './sessions.ts';
import { Meta, ProjectStatus } from './status.ts';
import { JoinQueueBody, Wait } from './waits.ts';

/** Which rate limit a route counts against. `beat` is apart so that reads can never starve heartbeats. */
export type RateClass = 'read' | 'write' | 'claim' | 'check' | 'beat' | 'register';

export type Route = {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** Below `/api`; `:name` are the path's parameters. */
  path: string;
  summary: string;
  body?: z.ZodType;
  query?: z.ZodType;
  response: z.ZodType;
  status?: 200 | 201;
  /** Answers 200 where nothing new was made. */
  again?: true;
  errors: ErrorCode[];
  rate: RateClass;
  /** Needs no key. */
  open?: true;
  /** The least role a caller needs in the project. Absent: no project in the path. */
  role?: 'readonly' | 'member' | 'lead';
  /** Acts as a session. `needed`: made by default for a bare client; `optional`: used when named. */
  session?: 'needed' | 'optional';
};

const route = <const R extends Route>(definition: R): R => definition;

const P = '/projects/:projectId';
const F = `${P}/features/:slug` as const;
const held: ErrorCode[] = ['FILE_ALREADY_CLAIMED', 'QUEUED_AHEAD', 'TOO_MANY_GLOBS', 'FENCED', 'SESSION_LOST'];
const ofHolder: ErrorCode[] = ['INVALID_STATUS_TRANSITION', 'FENCED', 'SESSION_LOST'];

/** Every HTTP route, once: the server registers them, the client types them, OpenAPI describes them. */
export const api = {
  meta: route({
    method: 'get',
    path: '/meta',
    summary: 'Server version and engines',
    response: Meta,
    errors: [],
    rate: 'read',
    open: true,
  }),

  register: route({
    method: 'post',
    path: '/auth/register',
    summary: 'Register an engineer; answers the API key, this once',
    body: RegisterBody,
    response: Registered,
    status: 201,
    errors: ['ALREADY_EXISTS', 'FORBIDDEN'],
    rate: 'register',
    open: true,
  }),
  me: route({ method: 'get', path: '/auth/me', summary: 'Who the key belongs to', response: Me, errors: [], rate: 'read' }),
  acceptInvitation: route({
    method: 'post',
    path: '/invitations/accept',
    summary: 'Join a project with a single-use code',
    body: AcceptInvitationBody,
    response: Membership,
    errors: ['FORBIDDEN'],
    rate: 'register',
  }),

  createProject: route({
    method: 'post',
    path: '/projects',
    summary: 'Create a project; the creator is its lead',
    body: CreateProjectBody,
    response: Project,
    status: 201,
    errors: ['ALREADY_EXISTS'],
    rate: 'write',
  }),
  listProjects: route({
    method: 'get',
    path: '/projects',
    summary: 'Projects the caller is in',
    response: z.array(Project),
    errors: [],
    rate: 'read',
  }),
  getProject: route({
    method: 'get',
    path: P,
    summary: 'A project and its members',
    response: ProjectWithMembers,
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  updateProject: route({
    method: 'patch',
    path: P,
    summary: 'Change a project, or what its guards do',
    body: UpdateProjectBody,
    response: Project,
    errors: [],
    rate: 'write',
    role: 'lead',
  }),
  addMember: route({
    method: 'post',
    path: `${P}/members`,
    summary: 'Add an engineer, by id or email',
    body: AddMemberBody,
    response: Membership,
    status: 201,
    errors: ['ALREADY_EXISTS'],
    rate: 'write',
    role: 'lead',
  }),
  createInvitation: route({
    method: 'post',
    path: `${P}/invitations`,
    summary: 'A single-use code for `nexus login --invite`',
    body: InviteBody,
    response: Invitation,
    status: 201,
    errors: [],
    rate: 'write',
    role: 'lead',
  }),

  openSession: route({
    method: 'post',
    path: `${P}/sessions`,
    summary: 'Get or create a session by (agent, agentSessionId)',
    body: OpenSessionBody,
    response: Session,
    status: 201,
    again: true,
    errors: ['SESSION_LOST'],
    rate: 'write',
    role: 'member',
  }),
  activeSessions: route({
    method: 'get',
    path: `${P}/sessions/active`,
    summary: 'Live sessions, stale ones included',
    response: z.array(ActiveSession),
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  heartbeat: route({
    method: 'post',
    path: `${P}/sessions/:sessionId/heartbeat`,
    summary: 'Renew a session and all it holds',
    response: Heartbeat,
    errors: ['SESSION_LOST'],
    rate: 'beat',
    role: 'member',
  }),
  endSession: route({
    method: 'post',
    path: `${P}/sessions/:sessionId/end`,
    summary: 'End a session; its holds are released, or parked where work is unlanded',
    body: EndSessionBody,
    response: Session,
    errors: [],
    rate: 'write',
    role: 'member',
  }),
  heartbeats: route({
    method: 'post',
    path: '/sessions/heartbeats',
    summary: 'Renew many sessions of the caller, of any project; always 200',
    body: HeartbeatsBody,
    response: Heartbeats,
    errors: [],
    rate: 'beat',
  }),

  saveCheckpoint: route({
    method: 'post',
    path: `${P}/sessions/checkpoints`,
    summary: 'Keep what a session was doing on a feature that it holds; an unchanged `auto_periodic` is null with a message',
    body: CheckpointBody,
    response: Checkpoint.nullable(),
    status: 201,
    again: true,
    errors: ['FENCED', 'SESSION_LOST'],
    rate: 'write',
    role: 'member',
  }),
  latestCheckpoint: route({
    method: 'get',
    path: `${P}/sessions/checkpoints/latest`,
    summary: 'The last checkpoint of a feature, whoever saved it, or null',
    query: LatestCheckpointQuery,
    response: Checkpoint.nullable(),
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),

  createFeature: route({
    method: 'post',
    path: `${P}/features`,
    summary: 'Create a draft',
    body: CreateFeatureBody,
    response: Feature,
    status: 201,
    errors: ['ALREADY_EXISTS'],
    rate: 'write',
    role: 'member',
  }),
  listFeatures: route({
    method: 'get',
    path: `${P}/features`,
    summary: 'Features by lane, then priority',
    query: ListFeaturesQuery,
    response: page(Feature),
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  availableFeatures: route({
    method: 'get',
    path: `${P}/features/available`,
    summary: 'Ready features, unblocked ones first',
    response: z.array(AvailableFeature),
    errors: [],
    rate: 'read',
    role: 'readonly',
    session: 'optional',
  }),
  pickNext: route({
    method: 'post',
    path: `${P}/features/pick-next`,
    summary: 'Pick the first feature that is free',
    body: PickNextBody,
    response: Feature,
    errors: ['NOTHING_AVAILABLE', 'SESSION_LOST'],
    rate: 'claim',
    role: 'member',
    session: 'needed',
  }),
  getFeature: route({ method: 'get', path: F, summary: 'A feature', response: Feature, errors: [], rate: 'read', role: 'readonly' }),
  updateFeature: route({
    method: 'patch',
    path: F,
    summary: 'Change a feature; `touches` of an active one extends or shrinks its hold',
    body: UpdateFeatureBody,
    response: Feature,
    errors: ['PRECONDITION_FAILED', 'INVALID_STATUS_TRANSITION', ...held],
    rate: 'write',
    role: 'member',
    session: 'optional',
  }),
  deleteFeature: route({
    method: 'delete',
    path: F,
    summary: 'Delete a draft',
    response: Deleted,
    errors: ['INVALID_STATUS_TRANSITION'],
    rate: 'write',
    role: 'member',
  }),
  readyFeature: route({
    method: 'post',
    path: `${F}/ready`,
    summary: 'draft → ready',
    response: Feature,
    errors: ['INVALID_STATUS_TRANSITION'],
    rate: 'write',
    role: 'member',
  }),
  pickFeature: route({
    method: 'post',
    path: `${F}/pick`,
    summary: 'Take the feature and every path it touches, or none',
    response: Feature,
    errors: [
      'FILE_ALREADY_CLAIMED',
      'QUEUED_AHEAD',
      'TOO_MANY_GLOBS',
      'INVALID_STATUS_TRANSITION',
      'DEPENDENCIES_UNMET',
      'REQUEST_IN_PROGRESS',
      'SESSION_LOST',
    ],
    rate: 'claim',
    role: 'member',
    session: 'needed',
  }),
  releaseFeature: route({
    method: 'post',
    path: `${F}/release`,
    summary: 'active → ready; frees its paths',
    body: HoldActionBody,
    response: Feature,
    errors: ofHolder,
    rate: 'claim',
    role: 'member',
    session: 'needed',
  }),
  doneFeature: route({
    method: 'post',
    path: `${F}/done`,
    summary: 'active → done; frees its paths',
    body: HoldActionBody,
    response: Feature,
    errors: ofHolder,
    rate: 'claim',
    role: 'member',
    session: 'needed',
  }),
  cancelFeature: route({
    method: 'post',
    path: `${F}/cancel`,
    summary: '→ cancelled; an active one by its holder only',
    body: HoldActionBody,
    response: Feature,
    errors: ofHolder,
    rate: 'claim',
    role: 'member',
    session: 'optional',
  }),
  resumeFeature: route({
    method: 'post',
    path: `${F}/resume`,
    summary: 'Adopt an interrupted or parked feature under a new fence',
    response: Feature,
    errors: ['FILE_ALREADY_CLAIMED', 'QUEUED_AHEAD', 'TOO_MANY_GLOBS', 'INVALID_STATUS_TRANSITION', 'SESSION_LOST'],
    rate: 'claim',
    role: 'member',
    session: 'needed',
  }),
  forceReleaseFeature: route({
    method: 'post',
    path: `${F}/force-release`,
    summary: 'End another session’s hold: a lead any, an engineer those of the own sessions',
    body: ForceReleaseBody,
    response: Feature,
    errors: ['FENCED', 'INVALID_STATUS_TRANSITION', 'INSUFFICIENT_ROLE'],
    rate: 'claim',
    role: 'member',
  }),

  roadmap: route({
    method: 'get',
    path: `${P}/roadmap`,
    summary: 'What is to be done, lane by lane',
    response: Roadmap,
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  reorderRoadmap: route({
    method: 'patch',
    path: `${P}/roadmap/reorder`,
    summary: 'Put features of one or more lanes in order; what is not named stays where it is',
    body: ReorderBody,
    response: Roadmap,
    errors: ['INVALID_STATUS_TRANSITION'],
    rate: 'write',
    role: 'member',
  }),
  moveOnRoadmap: route({
    method: 'patch',
    path: `${P}/roadmap/:slug/lane`,
    summary: 'Move a feature to a lane, and to a place in it',
    body: MoveBody,
    response: Feature,
    errors: ['INVALID_STATUS_TRANSITION'],
    rate: 'write',
    role: 'member',
  }),

  listClaims: route({
    method: 'get',
    path: `${P}/claims`,
    summary: 'Every held path',
    response: z.array(Claim),
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  myClaims: route({
    method: 'get',
    path: `${P}/claims/mine`,
    summary: 'Paths held by the acting session',
    response: z.array(Claim),
    errors: [],
    rate: 'read',
    role: 'readonly',
    session: 'optional',
  }),
  refreshClaims: route({
    method: 'post',
    path: `${P}/claims/refresh`,
    summary: 'Renew the acting session; says which paths it holds',
    body: RefreshBody,
    response: Refreshed,
    errors: ['SESSION_LOST'],
    rate: 'beat',
    role: 'member',
    session: 'needed',
  }),
  checkClaims: route({
    method: 'post',
    path: `${P}/claims/check`,
    summary: 'Would these paths be free for the acting session? Changes nothing',
    body: CheckBody,
    response: Check,
    errors: [],
    rate: 'check',
    role: 'readonly',
    session: 'optional',
  }),
  verifyClaims: route({
    method: 'post',
    path: `${P}/claims/verify`,
    summary: 'Ours, theirs, unclaimed: for commits, pushes and CI. Always from the ledger; changes nothing',
    body: VerifyBody,
    response: Verification,
    errors: [],
    rate: 'check',
    role: 'readonly',
    session: 'optional',
  }),
  claim: route({
    method: 'post',
    path: `${P}/claims`,
    summary: 'Claim paths: ad hoc, or one more for a hold',
    body: ClaimBody,
    response: HeldPaths,
    status: 201,
    errors: held,
    rate: 'claim',
    role: 'member',
    session: 'needed',
  }),
  releaseClaims: route({
    method: 'delete',
    path: `${P}/claims`,
    summary: 'Give ad hoc claims back, or shrink a hold',
    body: ReleaseClaimsBody,
    response: HeldPaths,
    errors: ['FENCED', 'SESSION_LOST'],
    rate: 'claim',
    role: 'member',
    session: 'needed',
  }),

  addLearning: route({
    method: 'post',
    path: `${F}/learnings`,
    summary: 'Add a learning; one that comes late is kept as a project note',
    body: AddLearningBody,
    response: Learning,
    status: 201,
    errors: [],
    rate: 'write',
    role: 'member',
    session: 'optional',
  }),
  listLearnings: route({
    method: 'get',
    path: `${F}/learnings`,
    summary: 'Learnings of a feature, newest first',
    query: ListLearningsQuery,
    response: page(Learning),
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  addNote: route({
    method: 'post',
    path: `${P}/learnings`,
    summary: 'Add a learning that is about no single feature',
    body: AddNoteBody,
    response: Learning,
    status: 201,
    errors: [],
    rate: 'write',
    role: 'member',
    session: 'optional',
  }),
  listNotes: route({
    method: 'get',
    path: `${P}/learnings`,
    summary: 'All learnings of the project, newest first',
    query: ListNotesQuery,
    response: page(Learning),
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  addDecision: route({
    method: 'post',
    path: `${P}/decisions`,
    summary: 'Record a decision, on a feature or the project; it may replace an earlier one',
    body: AddDecisionBody,
    response: Decision,
    status: 201,
    errors: ['ALREADY_EXISTS', 'SESSION_LOST'],
    rate: 'write',
    role: 'member',
    session: 'optional',
  }),
  listDecisions: route({
    method: 'get',
    path: `${P}/decisions`,
    summary: 'Decisions, newest first',
    query: ListDecisionsQuery,
    response: page(Decision),
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  getDecision: route({
    method: 'get',
    path: `${P}/decisions/:decisionId`,
    summary: 'A decision by id or number, with what it replaced and what replaced it',
    response: DecisionWithChain,
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),

  search: route({
    method: 'get',
    path: `${P}/search`,
    summary: 'Search learnings, decisions, specs, checkpoints and messages; the best fit first',
    query: SearchQuery,
    response: SearchPage,
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),

  joinQueue: route({
    method: 'post',
    path: `${P}/waits`,
    summary: 'Wait for a feature, or for paths; granted at once where they are free. Answers the place, and keeps no request open',
    body: JoinQueueBody,
    response: Wait,
    status: 201,
    errors: ['WAIT_WHILE_HOLDING', 'INVALID_STATUS_TRANSITION', 'DEPENDENCIES_UNMET', 'SESSION_LOST'],
    rate: 'claim',
    role: 'member',
    session: 'needed',
  }),
  listWaits: route({
    method: 'get',
    path: `${P}/waits`,
    summary: 'Who waits for what, first in line first',
    response: z.array(Wait),
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  getWait: route({
    method: 'get',
    path: `${P}/waits/:waitId`,
    summary: 'A place in the queue, or what became of it',
    response: Wait,
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  leaveQueue: route({
    method: 'delete',
    path: `${P}/waits/:waitId`,
    summary: 'Give up a place of the own sessions; what was granted before stays granted',
    response: Wait,
    errors: ['INSUFFICIENT_ROLE'],
    rate: 'claim',
    role: 'member',
  }),

  status: route({
    method: 'get',
    path: `${P}/status`,
    summary: 'Active features, held paths, live sessions, and who waits',
    response: ProjectStatus,
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  events: route({
    method: 'get',
    path: `${P}/events`,
    summary: 'Events after a cursor; with `Accept: text/event-stream` a live stream that resumes by Last-Event-ID',
    query: EventsQuery,
    response: EventsPage,
    errors: [],
    rate: 'read',
    role: 'readonly',
  }),
  wsTicket: route({
    method: 'post',
    path: '/ws-tickets',
    summary: 'A single-use ticket for a browser’s WebSocket',
    body: WsTicketBody,
    response: WsTicket,
    status: 201,
    errors: [],
    rate: 'read',
  }),
} as const satisfies Record<string, Route>;

export type Api = typeof api;
export type RouteName = keyof Api;

type ParamsOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamsOf<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;
type OptionalIfEmpty<Key extends string, T> = undefined extends T
  ? { [K in Key]?: T }
  : Record<never, never> extends T
    ? { [K in Key]?: T }
    : { [K in Key]: T };

/** What a call takes: the path's parameters, and `body` and `query` where the route has them. */
export type RouteInput<R extends Route> = { [K in ParamsOf<R['path']>]: string } & (R extends { body: infer B extends z.ZodType }
  ? OptionalIfEmpty<'body', z.input<B>>
  : unknown) &
  (R extends { query: infer Q extends z.ZodType } ? OptionalIfEmpty<'query', z.input<Q>> : unknown);
export type RouteOutput<R extends Route> = z.output<R['response']>;
