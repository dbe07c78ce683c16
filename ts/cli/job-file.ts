/** Job files of `msn train`: YAML whose keys are the option names; errors name the line. */
import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { closestName } from '../validate';
import { usageError } from './exit';
import { isObject } from './options';

export interface JobFile {
  options: Record<string, unknown>;
  /** 'job.yaml:7' for an option's name ('noise.length') that the file gives. */
  placeOf(path: string): string | undefined;
}

/**
 * @param known names of all options, nested ones with a dot
 * @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT for a file that cannot be read, is no YAML map or has unknown keys
 */
export function readJobFile(file: string, known: readonly string[]): JobFile {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): string => `${file}:${lines.linePos(offset).line}`;
  const [problem] = document.errors;
  if (problem !== undefined) throw usageError(`${place(problem.pos[0])}: not valid YAML: ${problem.message}`);
  if (!isMap(document.contents)) {
    throw usageError(`${file}: expected a map of option names and values, as in "batchSize: 8"`);
  }
  const places = new Map<string, string>();
  locateKeys(document.contents, '', known, place, places);
  const options: unknown = document.toJS();
  if (!isObject(options)) throw usageError(`${file}: expected a map of option names and values`);
  return { options, placeOf: (path) => places.get(path) };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw usageError(`${file}: cannot be read: ${(cause as Error).message}`);
  }
}

/** Notes the line of every key, and refuses those that are no options. */
function locateKeys(
  map: YAMLMap,
  prefix: string,
  known: readonly string[],
  place: (offset: number) => string,
  places: Map<string, string>,
): void {
  for (const { key, value } of map.items) {
    if (!isScalar(key)) throw usageError(`${place(map.range?.[0] ?? 0)}: expected option names as keys`);
    const path = `${prefix}${String(key.value)}`;
    const where = place(key.range?.[0] ?? 0);
    const isGroup = known.some((name) => name.startsWith(`${path}.`));
    if (!known.includes(path) && !isGroup) {
      const suggestion = closestName(path, known);
      const hint = suggestion === undefined ? '' : ` (did you mean "${suggestion}"?)`;
      throw usageError(`${where}: unknown option "${path}"${hint}`);
    }
    places.set(path, where);
    if (isGroup && isMap(value)) locateKeys(value, `${path}.`, known, place, places);
  }
}
