/** Typed access to the columns of a row, with errors that name file, line and column. */
import { NO_LOSS } from './dataset';
import type { Message } from './formats';
import { describeValue } from '../validate';
import { dataError, type SourceRow } from './read';

export class Columns {
  constructor(private readonly row: SourceRow) {}

  text(column: string): string {
    const value = this.present(column);
    if (typeof value !== 'string') this.fail(column, `expected a text, received ${describeValue(value)}`);
    return value;
  }

  /** '' where the column is missing or null. */
  optionalText(column: string): string {
    return this.row.columns[column] == null ? '' : this.text(column);
  }

  /** Complains about a column that would change the meaning of the row if it were passed over. */
  refuse(column: string, why: string): void {
    const value = this.row.columns[column];
    if (value == null || (Array.isArray(value) && value.length === 0)) return;
    this.fail(column, why);
  }

  /** Whether the first entry of a list has a key. */
  hasKey(column: string, key: string): boolean {
    const value = this.row.columns[column];
    const first: unknown = Array.isArray(value) ? value[0] : undefined;
    return typeof first === 'object' && first !== null && key in first;
  }

  /** A list of messages; `roles` translates their roles, others are errors. */
  messages(
    column: string,
    role: string,
    content: string,
    roles?: Readonly<Record<string, string>>,
  ): Message[] {
    const value = this.present(column);
    if (!Array.isArray(value))
      this.fail(column, `expected a list of messages, received ${describeValue(value)}`);
    if (value.length === 0) this.fail(column, 'expected a list of messages, received an empty list');
    return value.map((entry: unknown, index) => {
      const at = `${column}[${index}]`;
      if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
        this.fail(at, `expected { ${role}, ${content} }, received ${describeValue(entry)}`);
      }
      const message = entry as Record<string, unknown>;
      if (message.tool_calls != null) this.fail(`${at}.tool_calls`, 'tool calls are not supported');
      const name = message[role];
      if (typeof name !== 'string')
        this.fail(`${at}.${role}`, `expected a text, received ${describeValue(name)}`);
      const text = message[content];
      if (typeof text !== 'string')
        this.fail(`${at}.${content}`, `expected a text, received ${describeValue(text)}`);
      const known = roles === undefined ? name : roles[name];
      if (known === undefined) {
        this.fail(
          `${at}.${role}`,
          `expected one of ${Object.keys(roles!).join(', ')}, received ${JSON.stringify(name)}`,
        );
      }
      return { role: known, content: text };
    });
  }

  /** Token ids and the loss mask that the labels (default: the ids themselves) stand for. */
  tokens(idsColumn: string, labelsColumn: string): { tokens: Int32Array; loss: Uint8Array } {
    const tokens = this.integers(idsColumn);
    const loss = new Uint8Array(tokens.length).fill(1);
    if (this.row.columns[labelsColumn] == null) return { tokens, loss };
    const labels = this.integers(labelsColumn);
    if (labels.length !== tokens.length) {
      this.fail(
        labelsColumn,
        `expected ${tokens.length} labels, as many as ${idsColumn}, received ${labels.length}`,
      );
    }
    labels.forEach((label, index) => {
      if (label !== NO_LOSS && label !== tokens[index]) {
        this.fail(
          `${labelsColumn}[${index}]`,
          `expected ${idsColumn}[${index}], which is ${tokens[index]}, or ${NO_LOSS}, received ${label} ` +
            '(labels are not shifted)',
        );
      }
      loss[index] = label === NO_LOSS ? 0 : 1;
    });
    return { tokens, loss };
  }

  private integers(column: string): Int32Array {
    const value = this.present(column);
    if (!Array.isArray(value) && !ArrayBuffer.isView(value)) {
      this.fail(column, `expected a list of integers, received ${describeValue(value)}`);
    }
    const entries = Array.from(value as ArrayLike<unknown>);
    const integers = new Int32Array(entries.length);
    entries.forEach((entry, index) => {
      // Parquet's 64-bit integers arrive as bigint.
      const integer = typeof entry === 'bigint' ? Number(entry) : entry;
      if (typeof integer !== 'number' || (integer | 0) !== integer) {
        this.fail(`${column}[${index}]`, `expected an integer, received ${describeValue(entry)}`);
      }
      integers[index] = integer;
    });
    return integers;
  }

  private present(column: string): unknown {
    const value = this.row.columns[column];
    if (value != null) return value;
    const columns = Object.keys(this.row.columns).join(', ') || 'none';
    this.fail(
      column,
      column in this.row.columns ? 'the column is null' : `the column is missing; there are: ${columns}`,
    );
  }

  private fail(column: string, message: string): never {
    throw dataError(this.row.place, `${column}: ${message}`);
  }
}
