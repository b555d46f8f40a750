import { applyEdits, type JSONPath, modify, type ModificationOptions, parse, type ParseError, printParseErrorCode } from 'jsonc-parser';
import { isDeepStrictEqual } from 'node:util';
import { CliError } from '../errors.ts';
import { type Command, type Group, isOwnHandler, wantedGroups } from './claude-hooks.ts';

/** The settings with every hook of ours exactly once; the same bytes when they are in it already. Throws on what is no JSON. */
export function withHooks(path: string, text: string | undefined, command: Command): string {
  const wanted = wantedGroups(command);
  if (text === undefined || text.trim() === '')
    return `${JSON.stringify({ hooks: Object.fromEntries(wanted.map(([e, g]) => [e, [g]])) }, undefined, 2)}\n`;
  const present = hooksIn(path, text);
  const stale = (event: string): boolean => {
    const own = (present[event] ?? []).filter(hasOwn);
    const group = wanted.find(([name]) => name === event)?.[1];
    return own.length > 0 && !(own.length === 1 && isDeepStrictEqual(own[0], group));
  };
  const cleaned = removeFrom(path, text, Object.keys(present).filter(stale));
  return wanted.reduce((made, [event, group]) => {
    const groups = hooksIn(path, made)[event];
    if (groups?.some(hasOwn)) return made;
    return groups === undefined
      ? edit(made, ['hooks', event], [group])
      : edit(made, ['hooks', event, groups.length], group, { isArrayInsertion: true });
  }, cleaned);
}

/** The settings without any hook of ours; undefined when nothing else is left in them. */
export function withoutHooks(path: string, text: string): string | undefined {
  const left = removeFrom(path, text, Object.keys(hooksIn(path, text)));
  return left !== text && /^\s*\{\s*\}\s*$/.test(left) ? undefined : left;
}

/** How often each event of the settings would run a hook of ours. */
export function countHooks(path: string, text: string): Map<string, Command[]> {
  const found = new Map<string, Command[]>();
  for (const [event, groups] of Object.entries(hooksIn(path, text))) {
    const own = groups.flatMap((group) => (Array.isArray(group.hooks) ? group.hooks : [])).filter(isOwnHandler);
    if (own.length > 0) found.set(event, own);
  }
  return found;
}

/** Handlers, then groups, events and `hooks` that this emptied; from the last to the first, so that indices stay right. */
function removeFrom(path: string, text: string, events: string[]): string {
  let made = text;
  for (const event of events) {
    const groups = hooksIn(path, made)[event] ?? [];
    for (const [index, group] of [...groups.entries()].reverse()) {
      if (!hasOwn(group)) continue;
      const others = group.hooks.filter((handler) => !isOwnHandler(handler));
      if (others.length === 0) {
        made = edit(made, ['hooks', event, index], undefined);
        continue;
      }
      for (const [position, handler] of [...group.hooks.entries()].reverse())
        if (isOwnHandler(handler)) made = edit(made, ['hooks', event, index, 'hooks', position], undefined);
    }
    if (groups.length > 0 && hooksIn(path, made)[event]?.length === 0) made = edit(made, ['hooks', event], undefined);
  }
  return made !== text && Object.keys(hooksIn(path, made)).length === 0 ? edit(made, ['hooks'], undefined) : made;
}

const hasOwn = (group: Group): boolean => Array.isArray(group.hooks) && group.hooks.some(isOwnHandler);

function hooksIn(path: string, text: string): Record<string, Group[]> {
  const errors: ParseError[] = [];
  const content: unknown = parse(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined)
    throw refusal(path, `${printParseErrorCode(first.error)} in line ${text.slice(0, first.offset).split('\n').length}`);
  if (!isObject(content)) throw refusal(path, 'it holds no JSON object');
  const hooks = content['hooks'] ?? {};
  if (!isObject(hooks)) throw refusal(path, '"hooks" is not an object');
  for (const [event, groups] of Object.entries(hooks))
    if (!Array.isArray(groups) || !groups.every(isObject)) throw refusal(path, `"hooks.${event}" is not a list of objects`);
  return hooks as Record<string, Group[]>;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const refusal = (path: string, why: string): CliError =>
  new CliError('failure', 'CONFIG_INVALID', `${path} cannot be edited: ${why}. Correct it and run this again; nothing was changed.`);

function edit(text: string, path: JSONPath, value: unknown, options: ModificationOptions = {}): string {
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  ';
  const formattingOptions = {
    insertSpaces: !indent.startsWith('\t'),
    tabSize: indent.startsWith('\t') ? 1 : indent.length,
    eol: text.includes('\r\n') ? '\r\n' : '\n',
  };
  return applyEdits(text, modify(text, path, value, { ...options, formattingOptions }));
}
