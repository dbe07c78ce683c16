import { Command } from 'commander';
import { addOptions, collectOptions, normalizeFlags, setPath, type OptionRow } from '../../ts/cli/options';
import { trainRows } from '../../ts/cli/train-options';
import { trainingOptions } from '../../ts/train/options';

const rows: OptionRow[] = [
  { path: 'model', value: '<folder>', help: '', isText: true },
  { path: 'data', value: '<file>', help: '', isText: true, isList: true },
  { path: 'learningRate', value: '<number>', help: '' },
  { path: 'noise', value: '<what>', help: '' },
  { path: 'noise.length', value: '<tokens>', help: '' },
  { path: 'sampling.topK', flag: 'topK', value: '<count>', help: '' },
  { path: 'tree', value: '<tree>', help: '' },
];

function parse(...words: string[]): Record<string, unknown> {
  const command = new Command('test').exitOverride();
  addOptions(command, rows);
  command.parse(normalizeFlags(words), { from: 'user' });
  return collectOptions(command.opts(), rows);
}

test('values are read as YAML, texts stay texts', () => {
  expect(parse('--learning-rate', '2e-5', '--model', '007')).toEqual({ learningRate: 2e-5, model: '007' });
  expect(parse('--noise', 'false', '--tree', '{nodes: 32}')).toEqual({ noise: false, tree: { nodes: 32 } });
  expect(parse('--tree', '{nodes: ')).toEqual({ tree: '{nodes: ' });
});

test('dotted options are nested, short flags too', () => {
  expect(parse('--noise.length', '5', '--top-k', '40')).toEqual({
    noise: { length: 5 },
    sampling: { topK: 40 },
  });
});

test('the spelling of the library is understood', () => {
  expect(parse('--learningRate=0.1', '--topK', '3')).toEqual({ learningRate: 0.1, sampling: { topK: 3 } });
});

test('a list option may be repeated', () => {
  expect(parse('--data', 'a.jsonl', '--data', 'b.jsonl')).toEqual({ data: ['a.jsonl', 'b.jsonl'] });
});

test('what was not given is not there', () => {
  expect(parse()).toEqual({});
});

test('an object goes in the place of a scalar', () => {
  const target = { noise: false };
  setPath(target, 'noise.length', 3);
  expect(target).toEqual({ noise: { length: 3 } });
});

test('words behind -- are left alone', () => {
  expect(normalizeFlags(['--topK', '1', '--', '--topK'])).toEqual(['--top-k', '1', '--', '--topK']);
});

test('msn train offers every option of train, and no other', () => {
  const offered = new Set(trainRows.map(({ path }) => path.split('.')[0]));
  const { signal: _signal, ...known } = trainingOptions;
  expect([...offered].sort()).toEqual(['model', ...Object.keys(known)].sort());
});
