/** Stand around found words in what the database answers; a text that has them itself loses them before. */
export const FOUND = { from: '\u0002', to: '\u0003' };

/** Letters of a passage: two or three lines of a terminal. */
const LENGTH = 240;
/** What is shown before its first found word. */
const BEFORE = 40;

/** The passage that has most of the found words, in one line, with them between `**`. */
export function passage(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const found = [...line.matchAll(new RegExp(FOUND.from, 'g'))].map(({ index }) => index);
  const starts = found.length > 0 ? found.map((at) => Math.max(0, at - BEFORE)) : [0];
  const holds = (start: number) => found.filter((at) => at >= start && at < start + LENGTH).length;
  const best = starts.reduce((left, right) => (holds(right) > holds(left) ? right : left));
  const start = best === 0 ? 0 : line.indexOf(' ', best) + 1;
  const end = line.length <= start + LENGTH ? line.length : Math.max(line.lastIndexOf(' ', start + LENGTH), start + BEFORE);
  return `${start > 0 ? '… ' : ''}${balanced(line.slice(start, end))}${end < line.length ? ' …' : ''}`;
}

/** A cut may fall into a found word. */
function balanced(text: string): string {
  const open = text.lastIndexOf(FOUND.from) > text.lastIndexOf(FOUND.to);
  return (open ? text + FOUND.to : text).replaceAll(FOUND.from, '**').replaceAll(FOUND.to, '**').toWellFormed();
}
