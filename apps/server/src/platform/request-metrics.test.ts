import { describe, expect, test } from 'bun:test';
import { Counter, Histogram, Registry } from 'prom-client';
import { createRequestMetrics } from './request-metrics.ts';

const seen: Array<[method: string, route: string, status: number, seconds: number]> = [
  ['GET', '/api/projects/:projectId', 200, 0.0004],
  ['GET', '/api/projects/:projectId', 404, 0.001],
  ['PATCH', '/api/projects/:projectId', 200, 0.0011],
  ['GET', '/api/projects/:projectId', 200, 2.5],
  ['GET', '/api/projects/:projectId', 503, 30],
  ['GET', 'other', 404, 0.75],
];

describe('requests in the metrics', () => {
  test('read as prom-client itself would write them', async () => {
    const theirs = new Registry();
    const registers = [theirs];
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
    const ours = new Registry();
    const answered = createRequestMetrics(ours);
    expect(await ours.metrics()).toBe(await theirs.metrics());

    for (const [method, route, status, seconds] of seen) {
      requests.inc({ method, route, status });
      duration.observe({ method, route }, seconds);
      answered(method, route, status, seconds);
    }
    const lines = async (registry: Registry) => (await registry.metrics()).split('\n').sort();
    expect(await lines(ours)).toEqual(await lines(theirs));
  });
});
