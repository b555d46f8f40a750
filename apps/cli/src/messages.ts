import type { Message } from '@nexus/contract';
import { clean, cleanBlock, safeJson, shortId } from './text.ts';

export const sender = ({ engineerName, agent, sessionId }: Message['from']): string =>
  `${clean(engineerName)}${agent === null || sessionId === null ? '' : ` (${clean(agent)}, session ${shortId(sessionId)})`}`;

export const textOf = (payload: Message['payload']): string => (typeof payload === 'string' ? payload : safeJson(payload, 2));

/** Another's words: every line marked as such, so that none can pass for ours. */
export function quotedBlock(text: string, most: { lines: number; width: number } = { lines: Infinity, width: Infinity }): string {
  const lines = cleanBlock(text).trim().split('\n');
  const shown = lines.slice(0, most.lines).map((line) => `  | ${line.length > most.width ? `${line.slice(0, most.width)}…` : line}`);
  return [...shown, ...(lines.length > most.lines ? [`  | … and ${lines.length - most.lines} more lines`] : [])].join('\n');
}
