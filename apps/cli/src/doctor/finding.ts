/** `wrong` needs the remedy; `note` may be as it should. */
export type Finding = { check: string; state: 'ok' | 'note' | 'wrong'; says: string; remedy?: string };

export const ok = (check: string, says: string): Finding => ({ check, state: 'ok', says });
export const note = (check: string, says: string, remedy?: string): Finding => ({
  check,
  state: 'note',
  says,
  ...(remedy === undefined ? {} : { remedy }),
});
export const wrong = (check: string, says: string, remedy: string): Finding => ({ check, state: 'wrong', says, remedy });
