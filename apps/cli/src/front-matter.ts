import { ClaimInput, Lane, lanes } from '@nexus/contract';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { usage } from './errors.ts';

const Fields = z.strictObject({
  title: z.string().optional(),
  slug: z.string().optional(),
  lane: Lane.optional(),
  priority: z.number().optional(),
  touches: z.array(ClaimInput).optional(),
  dependsOn: z.array(z.string()).optional(),
});
export type SpecFile = z.infer<typeof Fields> & { spec: string };

const expected: Record<string, string> = {
  title: 'one line of text',
  slug: 'text such as "login-form"',
  lane: `one of ${lanes.join(', ')}`,
  priority: 'a number',
  touches: 'a list of paths, such as [src/a.ts, src/auth/**]',
  dependsOn: 'a list of feature slugs',
};

/**
 * A feature as a file: YAML between `---` lines, then the spec. What is not understood is an error that names it:
 * a `touches` that were dropped in silence would leave the work unprotected.
 */
export function parseSpecFile(text: string, name: string): SpecFile {
  const lines = text
    .replace(/^\uFEFF/, '')
    .replaceAll('\r\n', '\n')
    .split('\n');
  if (lines[0]?.trimEnd() !== '---') return { spec: lines.join('\n').trim() };
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---');
  if (end < 0) throw usage(`${name}: the front matter begins with --- but has no closing ---.`);
  const fields = checkFields(readYaml(lines.slice(1, end).join('\n'), name), name);
  return {
    ...fields,
    spec: lines
      .slice(end + 1)
      .join('\n')
      .trim(),
  };
}

function readYaml(text: string, name: string): unknown {
  try {
    return parse(text, { uniqueKeys: true, maxAliasCount: 10 }) ?? {};
  } catch (error) {
    // The line counts from the front matter's own first line, which is the file's second.
    const line = error instanceof YAMLParseError && error.linePos ? ` line ${error.linePos[0].line + 1}:` : '';
    const [reason = ''] = error instanceof Error ? error.message.split('\n') : [String(error)];
    throw usage(`${name}:${line} the front matter is not valid YAML: ${reason.replace(/ at line \d+, column \d+:?$/, '')}.`);
  }
}

function checkFields(content: unknown, name: string): z.infer<typeof Fields> {
  const result = Fields.safeParse(content);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    throw usage(
      `${name}: unknown front matter key ${issue.keys.map((key) => `"${key}"`).join(', ')}. Known: ${Object.keys(expected).join(', ')}.`,
    );
  }
  const key = String(issue?.path[0] ?? '');
  if (key === '') throw usage(`${name}: the front matter must be "key: value" lines. Known keys: ${Object.keys(expected).join(', ')}.`);
  throw usage(`${name}: front matter "${issue?.path.join('.')}" must be ${expected[key] ?? 'something else'}.`);
}
