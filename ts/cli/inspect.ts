/** `msn inspect`: what a model folder holds and what is wrong with it, without loading the weights. */
import type { Command } from 'commander';
import { addCommand, type CommonFlags } from './command';
import { exitCodes } from './exit';
import { inspectFolder, type Inspection } from './inspect-folder';
import { bytes, count, listing, printJson, printText, table } from './output';

interface Flags extends CommonFlags {
  tensors?: true;
}

export function registerInspect(program: Command): void {
  addCommand(program, 'inspect', 'describe a model folder and find what is wrong with it', [
    'msn inspect path/to/model',
    'msn inspect path/to/model --tensors',
    'msn inspect path/to/model --json',
  ])
    .argument('<model>', 'model folder')
    .option('--tensors', 'list every tensor')
    .action(async (folder: string, flags: Flags) => {
      const inspection = await inspectFolder(folder);
      if (flags.json === true) printJson(inspection);
      else printText(describe(inspection, flags.tensors === true));
      if (inspection.problems.length > 0) process.exitCode = exitCodes.failed;
    });
}

function describe(inspection: Inspection, withTensors: boolean): string {
  const { config, weights, tokenizer, problems } = inspection;
  const entries: Array<readonly [string, string]> = [['folder', inspection.folder]];
  if (config !== undefined) entries.push(...describeConfig(config));
  if (weights !== undefined) {
    entries.push(
      ['parameters', count(weights.parameters)],
      ['stored as', weights.dtypes.map(({ dtype, tensors }) => `${dtype} (${tensors} tensors)`).join(', ')],
      ['bytes', `${bytes(weights.bytes)} in ${weights.files} ${weights.files === 1 ? 'file' : 'files'}`],
    );
  }
  entries.push(['tokenizer', describeTokenizer(tokenizer)]);
  if (tokenizer !== undefined) entries.push(['chat template', tokenizer.chatTemplate ? 'yes' : 'no']);
  const parts = [listing(entries)];
  if (withTensors && weights !== undefined) {
    const rows = weights.tensors.map(({ name, dtype, shape }) => [name, dtype, shape.join(' × ')]);
    parts.push(table(['tensor', 'dtype', 'shape'], rows));
  }
  parts.push(
    problems.length === 0
      ? 'no problems found'
      : ['problems:', ...problems.map((problem) => `  ${problem}`)].join('\n'),
  );
  return parts.join('\n\n');
}

function describeConfig(config: NonNullable<Inspection['config']>): Array<readonly [string, string]> {
  const { shape } = config;
  const rope = shape.ropeKind === 'default' ? '' : `, ${shape.ropeKind} scaling by ${shape.ropeFactor}`;
  return [
    ['architecture', config.architecture],
    ['layers', count(shape.layers)],
    ['hidden size', `${count(shape.hiddenSize)}, inner ${count(shape.intermediateSize)}`],
    ['heads', `${shape.heads} of ${shape.headDim}, ${shape.kvHeads} for keys and values`],
    ['vocabulary', `${count(shape.vocabularySize)}, ${shape.tiedHead ? 'tied' : 'separate'} output layer`],
    [
      'context',
      `${count(shape.contextLength)} tokens${shape.window > 0 ? `, window ${count(shape.window)}` : ''}`,
    ],
    ['positions', `RoPE, theta ${count(shape.ropeTheta)}${rope}`],
    ['end of text', config.eosTokens.length === 0 ? 'no token' : `token ${config.eosTokens.join(', ')}`],
  ];
}

function describeTokenizer(tokenizer: Inspection['tokenizer']): string {
  if (tokenizer === undefined) return 'none; the model works in token ids';
  return `${count(tokenizer.vocabularySize)} tokens, ${tokenizer.specialTokens} of them special`;
}
