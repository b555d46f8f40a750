export function freePort(): Promise<number>;
export function eventually(probe: () => unknown, ms: number): Promise<boolean>;
