import { api, type Feature } from '@nexus/contract';
import type { Checks } from '../claims/index.ts';
import { Answer, type Router } from '../platform/http.ts';
import type { Features } from './features.ts';
import type { Endings } from './endings.ts';
import type { Pick } from './pick.ts';

type Needs = { features: Features; pick: Pick; endings: Endings; checks: Checks };

export function featuresRoutes(route: Router, { features, pick, endings, checks }: Needs): void {
  const slugOf = (params: Record<string, string>) => params['slug'] ?? '';
  /** For who has a checkout: what must be in it. Apart from the pick itself, for it decides nothing. */
  const withFinished = async (picked: Promise<Feature>, head: string | undefined): Promise<Feature> => {
    const feature = await picked;
    if (head === undefined) return feature;
    return { ...feature, finished: await checks.finishedOf(feature.projectId, feature.touches, head) };
  };
  route(api.createFeature, ({ actor, body }) => features.create(actor, body));
  route(api.listFeatures, ({ actor, query }) => features.list(actor.projectId, query));
  // Before `:slug`: the first route that fits answers.
  route(api.availableFeatures, ({ actor }) => features.available(actor));
  route(api.pickNext, ({ actor, body }) => withFinished(pick.next(actor, body.lane), body.head));
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
  route(api.pickFeature, ({ actor, params, body }) => withFinished(pick.one(actor, slugOf(params)), body.head));
  route(api.releaseFeature, ({ actor, params, body }) => endings.release(actor, slugOf(params), body));
  route(api.doneFeature, ({ actor, params, body }) => endings.done(actor, slugOf(params), body));
  route(api.cancelFeature, ({ actor, params, body }) => endings.cancel(actor, slugOf(params), body));
  route(api.resumeFeature, ({ actor, params, body }) => withFinished(pick.resume(actor, slugOf(params)), body.head));
  route(api.landedFeature, ({ actor, params, body }) => endings.landed(actor, slugOf(params), body.commit));
  route(api.forceReleaseFeature, ({ actor, params, body }) => endings.forceRelease(actor, slugOf(params), body.fence, body.reason));
}
