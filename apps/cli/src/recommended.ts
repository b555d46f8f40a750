/** Many agents touch these for a moment: nobody holds one for as long as a feature takes. */
const brief = [
  ...[
    'package.json',
    'package-lock.json',
    'npm-shrinkwrap.json',
    'bun.lock',
    'bun.lockb',
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'yarn.lock',
    'deno.lock',
  ],
  ...['Cargo.toml', 'Cargo.lock', 'go.mod', 'go.sum', 'go.work', 'go.work.sum'],
  ...['pyproject.toml', 'poetry.lock', 'uv.lock', 'Pipfile', 'Pipfile.lock', 'requirements*.txt'],
  ...['Gemfile', 'Gemfile.lock', 'composer.json', 'composer.lock', 'mix.exs', 'mix.lock', 'pubspec.yaml', 'pubspec.lock'],
  ...['*.csproj', 'Directory.Packages.props', 'gradle.lockfile', 'libs.versions.toml', 'Package.resolved', 'flake.lock'],
  ...['schema.prisma', 'schema.rb', 'structure.sql', '.env.example', 'CHANGELOG.md'],
];

/** What a program writes. Names that somewhere are sources, such as `build/` and `target/`, are left to the team. */
const derived = [
  ...['node_modules/', 'dist/', 'coverage/', '.next/', '.turbo/', '__pycache__/', '.venv/'],
  ...['*.tsbuildinfo', '*.min.js', '*.min.css', '*.pb.go', '*_pb2.py', '*.generated.*', '*.pyc'],
];

const recommended = { brief, derived };

/** An option's value: `recommended`, `none`, or names with commas between. */
export function listOf(name: keyof typeof recommended, value: string): string[] {
  if (value === 'recommended') return recommended[name];
  if (value === 'none') return [];
  const names = value.split(',').map((one) => one.trim());
  return [...new Set(names.flatMap((one) => (one === 'recommended' ? recommended[name] : one)))].filter((one) => one !== '');
}
