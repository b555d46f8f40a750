export const hookNames = ['pre-commit', 'commit-msg', 'post-commit', 'pre-push'] as const;
export type HookName = (typeof hookNames)[number];

const begin = '# >>> nexus >>> `nexus uninstall git` removes this block';
const end = '# <<< nexus <<<';
const own = /^# >>> nexus >>>.*\n[\s\S]*?^# <<< nexus <<<\n/m;
const shebang = '#!/bin/sh\n';
/** In a hook that was not there before, so that it can go as a whole. */
const made = '# There was no other hook.\n';

const asks = 'if [ -z "${NEXUS_SKIP:-}" ] && command -v nexus >/dev/null 2>&1; then';

/** What each hook asks. Only exit code 1 refuses: a nexus that is too old or broken must not stop anybody's work. */
const bodies: Record<HookName, string> = {
  'pre-commit': `${asks}
  nexus git-hook pre-commit || [ $? -ne 1 ] || exit 1
fi
`,
  'commit-msg': `${asks}
  nexus git-hook commit-msg "$1" || :
fi
`,
  'post-commit': `${asks}
  nexus git-hook post-commit || :
fi
`,
  // What is being pushed comes on stdin, and the hook below wants it too.
  'pre-push': `${asks}
  nexus_pushed=$(cat)
  printf '%s\\n' "$nexus_pushed" | nexus git-hook pre-push "$@" || [ $? -ne 1 ] || exit 1
  if [ -z "$nexus_pushed" ]; then
    exec </dev/null
  else
    exec <<NEXUS_PUSHED
$nexus_pushed
NEXUS_PUSHED
  fi
fi
`,
};

const block = (hook: HookName, note = ''): string => `${begin}\n${note}${bodies[hook]}${end}\n`;

/** The shell script with our block first, so that neither its `exit 0` nor its `exec` jumps over us; its own exit code stays. */
export function withBlock(hook: HookName, script: string | undefined): string {
  if (script === undefined) return shebang + block(hook, made);
  const bare = script.replace(own, '');
  const note = script.includes(begin + '\n' + made) ? made : '';
  const first = /^#!.*\n?/.exec(bare)?.[0] ?? '';
  return first + (first === '' || first.endsWith('\n') ? '' : '\n') + block(hook, note) + bare.slice(first.length);
}

/** Undefined when the whole file was ours. */
export function withoutBlock(script: string): string | undefined {
  const bare = script.replace(own, '');
  return bare === shebang && script.includes(begin + '\n' + made) ? undefined : bare;
}

export const hasBlock = (text: string): boolean => own.test(text);

/** A script that asks us, then goes on as the hook that was there, which is no shell script. */
export const wrapper = (hook: HookName, saved: string): string => `${shebang}${block(hook, made)}exec "$(dirname "$0")/${saved}" "$@"\n`;

/** Whether `sh` or a relative of it reads the file: then the block can stand in it. */
export const isShellScript = (script: string): boolean =>
  /^(?!#!)|^#!\s*(?:\S*\/)?(?:env\s+(?:-S\s+)?)?(?:\S*\/)?(?:sh|bash|dash|zsh|ksh|ash)(?:\s|$)/.test(script) && !script.includes('\0');

const lefthookArgs: Partial<Record<HookName, string>> = { 'commit-msg': ' {1}', 'pre-push': ' {0}' };

const call = (hook: HookName): string =>
  `'if command -v nexus >/dev/null 2>&1; then nexus git-hook ${hook}${lefthookArgs[hook] ?? ''} || [ $? -ne 1 ]; fi'`;

/** The same for lefthook, which runs hooks from its own file. */
export const lefthookBlock = `${begin}
${hookNames
  .map((hook) => `${hook}:\n  commands:\n    nexus:\n      run: ${call(hook)}\n${hook === 'pre-push' ? '      use_stdin: true\n' : ''}`)
  .join('')}${end}
`;

export const withLefthookBlock = (text: string | undefined): string => {
  const bare = (text ?? '').replace(own, '');
  return `${bare}${bare === '' || bare.endsWith('\n') ? '' : '\n'}${lefthookBlock}`;
};
export const withoutLefthookBlock = (text: string): string | undefined => text.replace(own, '') || undefined;
