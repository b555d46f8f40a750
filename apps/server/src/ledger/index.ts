export { type Change, type Committed, createLedger, type Ledger, type NewEvent, noChanges } from './ledger.ts';
