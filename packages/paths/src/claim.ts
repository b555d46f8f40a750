export type ClaimKind = 'file' | 'tree';
export type ClaimMode = 'read' | 'write';

/** How a project tells names apart; fixed when the project is created, for it decides every stored key. */
export type PathCase = 'insensitive' | 'sensitive';

/** One path claimed. Two spellings that could be one file on some checkout have one `node`. */
export type Claim = {
  kind: ClaimKind;
  mode: ClaimMode;
  /** The key: '' is the whole repository, else '/segment/segment', folded. Compared by bytes. */
  node: string;
  /** The user's spelling, cleaned: trees end in '/', the whole repository is '.', no `ro:`. Parses to the same claim. */
  display: string;
};

/** `kind: 'glob'` is part of the language and refused for now; undefined counts as absent, as parsers leave it. */
export type ClaimInput = {
  path: string;
  kind?: ClaimKind | 'glob' | undefined;
  mode?: ClaimMode | undefined;
};
