export { type Change, type Committed, createLedger, type Ledger } from './ledger.ts';
