import { api } from '@nexus/contract';
import { Answer, type Router } from '../platform/http.ts';
import type { Features } from './features.ts';
import type { Lifecycle } from './lifecycle.ts';

export function featuresRoutes(route: Router, { features, lifecycle }: { features: Features; lifecycle: Lifecycle }): void {
  const slugOf = (params: Record<string, string>) => params['slug'] ?? '';
  route(api.createFeature, ({ actor, body }) => features.create(actor, body));
  route(api.listFeatures, ({ actor, query }) => features.list(actor.projectId, query));
  // Before `:slug`: the first route that fits answers.
  route(api.availableFeatures, ({ actor }) => features.available(actor));
  route(api.pickNext, ({ actor, body }) => lifecycle.pickNext(actor, body.lane));
  route(api.getFeature, async ({ actor, params }) => {
    const feature = await features.get(actor.projectId, slugOf(params));
    return new Answer(feature, { headers: { etag: `"${feature.version}"` } });
  });
  route(api.updateFeature, async ({ actor, params, body, ifMatch }) => {
    const feature = await features.update(actor, slugOf(params), body, ifMatch);
    return new Answer(feature, { headers: { etag: `"${feature.version}"` } });
  });
  route(api.deleteFeature, ({ actor, params }) => features.remove(actor, slugOf(params)));
  route(api.readyFeature, ({ actor, params }) => features.ready(actor, slugOf(params)));
  route(api.pickFeature, ({ actor, params }) => lifecycle.pick(actor, slugOf(params)));
  route(api.releaseFeature, ({ actor, params, body }) => lifecycle.release(actor, slugOf(params), body.fence));
  route(api.doneFeature, ({ actor, params, body }) => lifecycle.done(actor, slugOf(params), body.fence));
  route(api.cancelFeature, ({ actor, params, body }) => lifecycle.cancel(actor, slugOf(params), body.fence));
  route(api.resumeFeature, ({ actor, params }) => lifecycle.resume(actor, slugOf(params)));
  route(api.forceReleaseFeature, ({ actor, params, body }) => lifecycle.forceRelease(actor, slugOf(params), body.fence, body.reason));
}
