import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { createRequestMetrics } from './request-metrics.ts';

/** Labels are route templates and codes, never paths, slugs or ids: their number stays bounded. */
export function createMetrics({ version, engines }: { version: string; engines: { database: string; leases: string; bus: string } }) {
  const registry = new Registry();
  const registers = [registry];
  const answered = createRequestMetrics(registry);
  const errors = new Counter({ name: 'nexus_errors_total', help: 'Error answers by code', labelNames: ['code'], registers });
  const claims = new Gauge({ name: 'nexus_claims_held', help: 'Paths held', registers });
  const sessions = new Gauge({ name: 'nexus_sessions_live', help: 'Live sessions', registers });
  const features = new Gauge({ name: 'nexus_features', help: 'Features by status', labelNames: ['status'], registers });
  const sockets = new Gauge({ name: 'nexus_ws_connections', help: 'Open WebSockets', registers });
  const lost = new Counter({ name: 'nexus_session_losses_total', help: 'Sessions lost', registers });
  const unread = new Gauge({ name: 'nexus_search_unread', help: 'Texts that the embeddings provider has yet to read', registers });
  new Gauge({ name: 'nexus_build_info', help: 'Version and engines', labelNames: ['version', 'database', 'leases', 'bus'], registers }).set(
    { version, ...engines },
    1,
  );
  collectDefaultMetrics({ register: registry });
  return { registry, answered, errors, claims, sessions, features, sockets, lost, unread };
}
