import { api } from '@nexus/contract';
import type { Router } from '../platform/http.ts';
import type { Search } from './search.ts';

export function searchRoutes(route: Router, { search }: { search: Search }): void {
  route(api.search, ({ actor, query }) => search.search(actor, query));
}
