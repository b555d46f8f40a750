export { normaliserSuite } from '../parse.suite.ts';
export { anyTouch, overlapSuite } from '../overlap.suite.ts';
export { runOf, samplesOf, type SuiteOutcome, type SuiteRun } from './outcome.ts';
