/** JSON.parse keeps the last of two equal keys and says nothing; a safetensors header must not have them. */

/** The first key that the outermost object of a valid JSON text has twice. */
export function firstRepeatedKey(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let expectsKey = false;
  for (let index = 0; index < json.length; index++) {
    const character = json[index];
    if (character === '"') {
      const end = endOfString(json, index);
      if (depth === 1 && expectsKey) {
        const key = JSON.parse(json.slice(index, end)) as string;
        if (seen.has(key)) return key;
        seen.add(key);
        expectsKey = false;
      }
      index = end - 1;
    } else if (character === '{' || character === '[') {
      depth++;
      expectsKey = depth === 1;
    } else if (character === '}' || character === ']') {
      depth--;
    } else if (character === ',' && depth === 1) {
      expectsKey = true;
    }
  }
  return undefined;
}

/** The index behind the closing quote of the string that opens at `begin`. */
function endOfString(json: string, begin: number): number {
  let index = begin + 1;
  while (json[index] !== '"') index += json[index] === '\\' ? 2 : 1;
  return index + 1;
}
