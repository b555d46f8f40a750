/** The story as it is told, and what differed from it. */
export type Report = ReturnType<typeof createReport>;

export function createReport(write: (line: string) => void, color: boolean) {
  const paint = (code: number, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const failures: string[] = [];
  let checks = 0;
  let step = 0;
  return {
    failures,
    checks: () => checks,
    chapter: (text: string) => write(`\n${paint(1, `== ${text}`)}`),
    step: (text: string) => write(`\n${paint(1, `${(step += 1)}. ${text}`)}`),
    typed: (who: string, command: string) => write(`   ${paint(36, `${who} $`)} ${command}`),
    said: (text: string) => {
      for (const line of text.trimEnd().split('\n')) if (line !== '') write(`   ${paint(2, `│ ${line}`)}`);
    },
    note: (text: string) => write(`   ${text}`),
    /** One thing that must hold; `seen` is shown when it does not. */
    check: (what: string, holds: boolean, seen?: unknown) => {
      checks += 1;
      write(`   ${holds ? paint(32, '✓') : paint(31, '✗')} ${what}`);
      if (holds) return;
      failures.push(what);
      if (seen !== undefined)
        write(`     seen: ${typeof seen === 'string' ? seen.trim().replaceAll('\n', '\n           ') : JSON.stringify(seen)}`);
    },
  };
}
