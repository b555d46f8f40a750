const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Anything else in an id's place is an unknown id, not a bad request. */
export const isUuid = (text: string): boolean => uuid.test(text);
