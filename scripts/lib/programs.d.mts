export function programs(name: string, more?: string[]): string[];
export function capture(
  command: string,
  args: string[],
  options?: { cwd?: string; env?: Record<string, string | undefined>; timeout?: number },
): Promise<{ code: number; output: string; stdout: string }>;
