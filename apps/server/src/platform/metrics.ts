import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Labels are route templates and codes, never paths, slugs or ids: their number stays bounded. */
export function createMetrics({ version, engines }: { version: string; engines: { database: string; leases: string; bus: string } }) {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: 'nexus_http_requests_total',
    help: 'Requests answered',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'nexus_http_request_duration_seconds',
    help: 'Time to the answer',
    labelNames: ['method', 'route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
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
  return { registry, requests, duration, errors, claims, sessions, features, sockets, lost, unread };
}
