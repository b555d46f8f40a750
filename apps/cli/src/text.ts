// Control characters, and those that reorder or hide text: what others wrote must not drive this terminal.
// eslint-disable-next-line no-control-regex -- they are what it removes
const dangerous = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text of others for printing over several lines: newlines and tabs stay. */
export const cleanBlock = (text: string): string => text.replaceAll('\r\n', '\n').replace(dangerous, '');

/** Text of others as one line. */
export const clean = (text: string): string => cleanBlock(text.replace(/[\r\n\t]+/g, ' '));

/** JSON escapes C0 only; the rest of the dangerous ones as escapes too, which any parser reads back. */
export const safeJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, undefined, indent).replace(
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

const wide = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/u;

/** Columns that the text takes in a terminal, near enough for tables. */
export function width(text: string): number {
  let columns = 0;
  for (const character of text) columns += /\p{Mn}/u.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return columns;
}

/** Rows under headings, two spaces apart; the last column is cut to `columns` when given. */
export function table(headings: string[], rows: string[][], columns?: number): string {
  const cells = [headings, ...rows.map((row) => row.map(clean))];
  const widths = headings.map((_, index) => Math.max(...cells.map((row) => width(row[index] ?? ''))));
  return cells
    .map((row) => {
      const line = row
        .map((cell, index) => (index === row.length - 1 ? cell : cell + ' '.repeat((widths[index] ?? 0) - width(cell))))
        .join('  ');
      return columns === undefined ? line.trimEnd() : cut(line.trimEnd(), columns);
    })
    .join('\n');
}

function cut(line: string, columns: number): string {
  if (width(line) <= columns) return line;
  let kept = '';
  for (const character of line) {
    if (width(kept + character) >= columns) break;
    kept += character;
  }
  return `${kept}…`;
}

/** UUIDv7 begins with the time, so two sessions of one minute begin alike: the end tells them apart. */
export const shortId = (id: string): string => clean(id).slice(-8);

/** Local time of day, with the date when it is not today's. */
export function clockTime(at: string, now = new Date()): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return clean(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return date.toDateString() === now.toDateString() ? time : `${day} ${time}`;
}

/** `3 min ago`, `in 87 s`. */
export function fromNow(at: string, now = Date.now()): string {
  const seconds = Math.round((Date.parse(at) - now) / 1000);
  if (Number.isNaN(seconds)) return '';
  const size = Math.abs(seconds);
  const amount =
    size < 120
      ? `${size} s`
      : size < 7200
        ? `${Math.round(size / 60)} min`
        : size < 172_800
          ? `${Math.round(size / 3600)} h`
          : `${Math.round(size / 86_400)} d`;
  return seconds > 0 ? `in ${amount}` : `${amount} ago`;
}
