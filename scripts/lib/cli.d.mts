export const compileFlags: string[];
export function bundleCli(bun: string, options?: { force?: boolean }): Promise<string | undefined>;
export function compileCli(bun: string, options?: { outfile?: string; force?: boolean }): Promise<string | undefined>;
