import type { Route } from '@nexus/contract';
import type { Principal } from './actor.ts';
import { AppError, notFound } from './errors.ts';

/** The key must have the route's scope. Asked before anything is looked up: the answer tells nothing of what exists. */
export function requireScope({ scopes }: Principal, { scope }: Pick<Route, 'scope'>): void {
  if (scope && !scopes.includes(scope)) {
    throw new AppError('FORBIDDEN', `This API key has the scopes ${scopes.join(', ')}, and this needs ${scope}. Use a key that has it.`, {
      details: { scopes, needed: scope },
    });
  }
}

/** To a key that is bound to a project everything else is foreign. */
export function requireBinding({ boundTo }: Principal, projectId: string): void {
  if (boundTo !== null && boundTo !== projectId) throw notFound();
}

/** What belongs to no project is closed to a key that is bound to one. */
export function requireUnbound({ boundTo }: Principal): void {
  if (boundTo !== null) throw new AppError('FORBIDDEN', 'This API key works in one project only. Use a key without that limit.');
}
