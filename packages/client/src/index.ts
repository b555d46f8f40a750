export * from './client.ts';
export { followFeed, type FeedState, type FollowFeedOptions } from './feed.ts';
