export function checkArrows(bun: string, at?: string): Promise<{ code: number; output: string; fired: string[] }>;
export function unseenFiles(modules: Array<{ source: string; dependencies: unknown[] }>, at: string): string[];
