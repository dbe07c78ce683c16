/** Typed access to the fields of a config.json, whose errors name the field and where it stands. */
import { MakeSomeNoiseError, type ErrorCode } from '../errors';
import { describeValue } from '../validate';
import { isObject } from './folder';

/** Far beyond any model, and small enough that no product of two sizes overflows. */
const largestSize = 2 ** 30;

export class ConfigFields {
  /**
   * @param where stands before a field's name in messages: "/models/x/config.json: " or "config."
   * @param malformed code of the errors about values that make no sense
   */
  constructor(
    private readonly fields: Readonly<Record<string, unknown>>,
    private readonly where: string,
    private readonly malformed: ErrorCode,
  ) {}

  /** The value, undefined when it is missing or null. */
  get(name: string): unknown {
    return this.fields[name] ?? undefined;
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined;
  }

  integer(name: string, otherwise?: number, least = 1, most = largestSize): number {
    const value = this.get(name) ?? otherwise;
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value as number;
    }
    throw this.malformedField(name, `an integer from ${least} to ${most}`);
  }

  positive(name: string, otherwise?: number): number {
    const value = this.get(name) ?? otherwise;
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
    throw this.malformedField(name, 'a positive number');
  }

  boolean(name: string, otherwise: boolean): boolean {
    const value = this.get(name) ?? otherwise;
    if (typeof value === 'boolean') return value;
    throw this.malformedField(name, 'true or false');
  }

  string(name: string): string | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === 'string') return value;
    throw this.malformedField(name, 'a string');
  }

  strings(name: string): string[] | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    throw this.malformedField(name, 'an array of strings');
  }

  object(name: string): ConfigFields | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (isObject(value)) return new ConfigFields(value, `${this.where}${name}.`, this.malformed);
    throw this.malformedField(name, 'an object');
  }

  /** A token id, or a list of them; [] when it is missing. */
  tokenIds(name: string): number[] {
    const value = this.get(name);
    if (value === undefined) return [];
    const ids: unknown[] = Array.isArray(value) ? value : [value];
    if (ids.every((id) => Number.isInteger(id) && (id as number) >= 0)) return ids as number[];
    throw this.malformedField(name, 'a token id or an array of them');
  }

  malformedField(name: string, expected: string): MakeSomeNoiseError {
    const received = this.has(name) ? `received ${describeValue(this.fields[name])}` : 'but it is missing';
    return new MakeSomeNoiseError(this.malformed, `${this.where}${name}: expected ${expected}, ${received}`);
  }

  unsupportedField(name: string, value: unknown, supported: string): MakeSomeNoiseError {
    return new MakeSomeNoiseError(
      'ERR_UNSUPPORTED',
      `${this.where}${name}: ${describeValue(value)} is not supported; ${supported}`,
    );
  }
}
