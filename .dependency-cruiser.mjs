// The arrows of ARCHITECTURE.md. `scripts/arrows.test.ts` plants a violation of each and sees it fire.
const server = '^apps/server/src';
const isTest = '(\\.(test|suite)\\.ts$|/test/|/testing/|/prove/)';
const isTable = '\\.table\\.ts$';
/** The file that gathers every table for drizzle-kit and the migrator. */
const isSchema = '/schema\\.ts$';

/** A later slice may see earlier ones. A new slice takes its place here before anyone can import it. */
const slices = [
  'ledger',
  'search',
  'feed',
  'auth',
  'projects',
  'sessions',
  'claims',
  'allocations',
  'features',
  'recovery',
  'waiting',
  'requests',
  'patches',
  'history',
  'messages',
  'knowledge',
  'roadmap',
  'transfer',
  'status',
];

/** A package, named as written where it is not installed and by its folder where it is. */
const npm = (...names) => `(^|node_modules/)(${names.join('|')})(/|$)`;

const orderRules = slices.slice(0, -1).map((slice, position) => ({
  name: `order-${slice}`,
  severity: 'error',
  comment: `${slice} comes before what it imports here.`,
  from: { path: `${server}/${slice}/`, pathNot: [isTest, isTable] },
  to: { path: `${server}/(${slices.slice(position + 1).join('|')})/` },
}));

export default {
  forbidden: [
    {
      name: 'slice-door',
      severity: 'error',
      comment: 'A slice is entered by its index.ts from other slices.',
      from: { path: `${server}/([^/]+)/`, pathNot: [isTest, isSchema] },
      to: { path: `${server}/(?!platform/|engines/)[^/]+/.`, pathNot: [`${server}/$1/`, '/index\\.ts$', isTable] },
    },
    {
      name: 'slice-door-from-root',
      severity: 'error',
      comment: 'main, app and deps enter a slice by its index.ts as well.',
      from: { path: `${server}/[^/]+\\.ts$`, pathNot: [isTest, isSchema] },
      to: { path: `${server}/(?!platform/|engines/)[^/]+/.`, pathNot: '/index\\.ts$' },
    },
    {
      name: 'table-door',
      severity: 'error',
      comment: 'Tables refer to each other for foreign keys; everything else asks the slice that owns the table.',
      from: { path: `${server}/([^/]+)/`, pathNot: [isTest, isSchema, isTable] },
      to: { path: `${server}/.*${isTable}`, pathNot: `${server}/$1/` },
    },
    ...orderRules,
    {
      name: 'slice-unlisted',
      severity: 'error',
      comment: 'Give the slice its place in the order at the top of this file.',
      from: {},
      to: { path: `${server}/(?!(platform|engines|testing|${slices.join('|')})/)[^/]+/` },
    },
    {
      name: 'no-way-back-to-the-root',
      severity: 'error',
      comment: 'main, app, deps and config know the slices, never the other way round.',
      from: { path: `${server}/[^/]+/`, pathNot: isTest },
      to: { path: `${server}/(main|app|deps|config)\\.ts$` },
    },
    {
      name: 'engine-port',
      severity: 'error',
      comment: 'Slices see the port (leases/leases.ts), deps.ts chooses the engine behind it.',
      from: { path: `${server}/(?!engines/)[^/]+/`, pathNot: isTest },
      to: { path: `${server}/engines/([^/]+)/(?!\\1\\.ts$)` },
    },
    {
      name: 'engine-knows-no-slice',
      severity: 'error',
      from: { path: `${server}/engines/`, pathNot: [isTest, isSchema] },
      to: { path: `${server}/(?!platform/|engines/)[^/]+/` },
    },
    {
      name: 'platform-knows-nothing-above',
      severity: 'error',
      from: { path: `${server}/platform/`, pathNot: isTest },
      to: { path: `${server}/(?!platform/)` },
    },
    {
      name: 'drivers-in-engines',
      severity: 'error',
      from: { path: '^(apps|packages)/', pathNot: [`${server}/engines/`, isTest] },
      to: { path: npm('postgres', 'pg', 'ioredis', '@electric-sql/[^/]+') },
    },
    {
      name: 'hono-at-the-edge',
      severity: 'error',
      from: {
        path: `${server}/`,
        pathNot: ['\\.(routes|socket|middleware)\\.ts$', `${server}/(app|main)\\.ts$`, `${server}/platform/http[^/]*(/|\\.ts$)`, isTest],
      },
      to: { path: npm('hono', '@hono/[^/]+') },
    },
    {
      name: 'drizzle-in-stores',
      severity: 'error',
      from: {
        path: `${server}/`,
        pathNot: ['\\.(store|table)\\.ts$', `${server}/engines/`, '/ledger\\.ts$', isSchema, isTest],
      },
      to: { path: npm('drizzle-orm') },
    },
    {
      name: 'clients-stay-out-of-the-server',
      severity: 'error',
      from: { path: '^(apps/(?!server/)|packages/)', pathNot: isTest },
      to: { path: '^apps/server/' },
    },
    { name: 'packages-know-no-app', severity: 'error', from: { path: '^packages/', pathNot: isTest }, to: { path: '^apps/' } },
    {
      name: 'contract-is-zod-only',
      severity: 'error',
      from: { path: '^packages/contract/', pathNot: isTest },
      to: { pathNot: ['^packages/contract/', npm('zod')] },
    },
    {
      name: 'paths-imports-nothing',
      severity: 'error',
      from: { path: '^packages/paths/', pathNot: isTest },
      to: { pathNot: '^packages/paths/' },
    },
    {
      name: 'clients-run-on-node',
      severity: 'error',
      comment: 'The CLI and the packages run on Node as well: nothing of bun.',
      from: { path: '^(apps/cli|packages)/', pathNot: isTest },
      to: { path: '^bun(:|$)' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Tables may point at each other: their references are functions, called after both exist.',
      from: { pathNot: isTable },
      to: { circular: true, viaOnly: { pathNot: isTable } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    // Our own builds; many packages have their code in a folder of that name.
    exclude: { path: '^(apps|packages)/[^/]+/dist/' },
    builtInModules: { add: ['bun', 'bun:test', 'bun:ffi', 'bun:jsc', 'bun:sqlite'] },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
