export const claimKinds = ['file', 'tree', 'glob', 'resource'] as const;
/** A path; a directory with all below it; the paths, now or later, that a pattern matches; a thing that is no path. */
export type ClaimKind = (typeof claimKinds)[number];
export type ClaimMode = 'read' | 'write';

/** How a project tells names apart; fixed when the project is created, for it decides every stored key. */
export type PathCase = 'insensitive' | 'sensitive';

/** One path claimed. Two spellings that could be one file on some checkout have one `node`. */
export type Claim = {
  kind: ClaimKind;
  mode: ClaimMode;
  /**
   * The key: '' is the whole repository, else '/segment/segment', folded. Compared by bytes. A glob's has its wildcards in
   * it. A resource's begins with 'res:' where all others begin with '/', so none is above, below or equal to any of them.
   */
  node: string;
  /** The user's spelling, cleaned: trees end in '/', the whole repository is '.', no `ro:`. Parses to the same claim. */
  display: string;
};

/** Undefined counts as absent, as parsers leave it. */
export type ClaimInput = {
  path: string;
  /** `glob` also reads braces and classes; a wildcard makes any path one. */
  kind?: ClaimKind | undefined;
  mode?: ClaimMode | undefined;
};
