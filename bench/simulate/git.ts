/** What git prints; throws what it complains about. */
export async function runGit(repository: string, args: string[]): Promise<string> {
  const child = Bun.spawn(['git', '-C', repository, ...args], { stdout: 'pipe', stderr: 'pipe' });
  const [text, complaint, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new TypeError(complaint.trim());
  return text;
}
