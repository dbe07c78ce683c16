/** What goes to standard output: text for people or JSON for programs, never both. */

/** One line of JSON; typed arrays become arrays, numbers that JSON cannot hold become null. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, plain)}\n`);
}

function plain(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as never) : value;
}

export function printText(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A remark that is no result; not for programs. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Grey where the stream is a terminal that shows colours. */
export function dim(text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return showsColours(stream) ? `\x1b[2m${text}\x1b[22m` : text;
}

export function bold(text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return showsColours(stream) ? `\x1b[1m${text}\x1b[22m` : text;
}

function showsColours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb';
}

/** Names on the left, values on the right. */
export function listing(entries: ReadonlyArray<readonly [name: string, value: string]>): string {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

/** Columns as wide as their widest cell; those of figures are set to the right. */
export function table(header: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const cells = (column: number): string[] => rows.map((row) => row[column] ?? '');
  const widths = header.map((title, column) =>
    Math.max(title.length, ...cells(column).map((cell) => cell.length)),
  );
  const figures = header.map((_, column) => cells(column).every((cell) => /^[-+−\d.,%× ]*$/.test(cell)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        figures[column] === true ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('   ')
      .trimEnd();
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

/** 1,234,567 */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** 269.1 MB: powers of ten, as disks are sold. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(value, 1)) / 3)));
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]!}`;
}

/** 45 s, 3:05, 1:02:03 */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}
