import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPrompts } from '../../ts/bench/prompt-file';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'msn-bench-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(content: string): string {
  const path = join(folder, 'prompts.jsonl');
  writeFileSync(path, content);
  return path;
}

describe('readPrompts', () => {
  it('reads one prompt a line and skips empty lines', () => {
    expect(readPrompts(write('{"prompt":"a"}\n\n{"prompt":"b\\nc","id":3}\n'))).toEqual(['a', 'b\nc']);
  });

  it.each([
    ['a line that is no JSON', '{"prompt":"a"}\n{', 'line 2 is no JSON; expected rows {"prompt": "text"}'],
    ['a row without prompt', '{"text":"a"}', 'line 1 has no prompt; expected rows {"prompt": "text"}'],
    ['a prompt that is no text', '{"prompt":1}', 'line 1 has no prompt; expected rows {"prompt": "text"}'],
    ['null', 'null', 'line 1 has no prompt; expected rows {"prompt": "text"}'],
    ['an empty file', '', 'no prompts; expected rows {"prompt": "text"}'],
  ])('refuses %s', (_, content, message) => {
    const path = write(content);
    expect(() => readPrompts(path)).toThrow(
      expect.objectContaining({ code: 'ERR_DATA', message: `${path}: ${message}` }),
    );
  });

  it('says so when there is no such file', () => {
    expect(() => readPrompts(join(folder, 'absent.jsonl'))).toThrow(/absent\.jsonl: ENOENT/);
  });
});
