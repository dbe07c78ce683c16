/** The options of `generate`, as the command line offers them. */
import { modelRows, type OptionRow } from './options';

export const generateRows: readonly OptionRow[] = [
  { path: 'maxNewTokens', value: '<count>', help: 'most tokens to generate (default: 256)' },
  { path: 'stop', value: '<text>', help: 'end at this text; may be repeated', isText: true, isList: true },
  { path: 'eosTokens', value: '<ids>', help: "token ids that end the text, '[2]' (default: the model's)" },
  { path: 'sampling.temperature', flag: 'temperature', value: '<number>', help: '0: greedy (default: 0)' },
  { path: 'sampling.topK', flag: 'topK', value: '<count>', help: 'keep the likeliest tokens' },
  {
    path: 'sampling.topP',
    flag: 'topP',
    value: '<number>',
    help: 'keep the fewest tokens of this probability',
  },
  { path: 'sampling.minP', flag: 'minP', value: '<number>', help: 'keep tokens of this part of the highest' },
  {
    path: 'sampling.repetitionPenalty',
    flag: 'repetitionPenalty',
    value: '<number>',
    help: '1: none (default: 1)',
  },
  {
    path: 'sampling.seed',
    flag: 'seed',
    value: '<integer>',
    help: 'the same seed, the same text (default: 0)',
  },
  {
    path: 'decoding.method',
    flag: 'method',
    value: '<name>',
    help: 'tr-jacobi, jacobi or autoregressive (default: tr-jacobi)',
    isText: true,
  },
  {
    path: 'decoding.tree',
    flag: 'tree',
    value: '<tree>',
    help: "auto, paper, '{nodes: 32}' or '{paths: [[0], [0, 0]]}' (default: auto)",
  },
  { path: 'decoding.topK', value: '<count>', help: 'columns of the draft table (default: 10)' },
  { path: 'decoding.depth', value: '<count>', help: 'rows of the draft table (default: 5)' },
  { path: 'decoding.retrieval', value: '<what>', help: "false or '{minMatch: 2}' (default: minMatch 2)" },
  { path: 'decoding.noiseSeed', value: '<integer>', help: 'seed of the unknown drafts (default: 0)' },
];

export const generateCommandRows: readonly OptionRow[] = [...generateRows, ...modelRows];
