import { api } from '@nexus/contract';
import { Answer, type Router } from '../platform/http.ts';
import type { Features } from './features.ts';
import type { Endings } from './endings.ts';
import type { Pick } from './pick.ts';

export function featuresRoutes(route: Router, { features, pick, endings }: { features: Features; pick: Pick; endings: Endings }): void {
  const slugOf = (params: Record<string, string>) => params['slug'] ?? '';
  route(api.createFeature, ({ actor, body }) => features.create(actor, body));
  route(api.listFeatures, ({ actor, query }) => features.list(actor.projectId, query));
  // Before `:slug`: the first route that fits answers.
  route(api.availableFeatures, ({ actor }) => features.available(actor));
  route(api.pickNext, ({ actor, body }) => pick.next(actor, body.lane));
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
  route(api.pickFeature, ({ actor, params }) => pick.one(actor, slugOf(params)));
  route(api.releaseFeature, ({ actor, params, body }) => endings.release(actor, slugOf(params), body.fence));
  route(api.doneFeature, ({ actor, params, body }) => endings.done(actor, slugOf(params), body.fence));
  route(api.cancelFeature, ({ actor, params, body }) => endings.cancel(actor, slugOf(params), body.fence));
  route(api.resumeFeature, ({ actor, params }) => pick.resume(actor, slugOf(params)));
  route(api.forceReleaseFeature, ({ actor, params, body }) => endings.forceRelease(actor, slugOf(params), body.fence, body.reason));
}
