// Noisy fine-tuning of a small story model on stories that it wrote itself: what the noise gives, and what it costs.
//
//   node bench/stories260k.mjs [--model ../shared/models/stories260K] [--output out/stories260k] [--results FILE.json]
//
// The model writes 3,000 stories (temperature 0.8, seeded). Plain and noisy fine-tuning then start from the same
// weights, with the same stories, order and number of steps. All are measured on stories with other seeds: the loss,
// and the tokens per step of greedy TR-Jacobi decoding with the paper's tree behind the first tokens of each story.
// Prints a Markdown table. Everything is seeded: two runs on one machine differ in their times only.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const { generate, loadModel, score, train } = require('../dist/index.js');
const { describeMachine } = require('../dist/bench/machine.js');

const root = path.join(import.meta.dirname, '..');
const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: path.join(root, '..', 'shared', 'models', 'stories260K') },
    output: { type: 'string', default: path.join(root, 'out', 'stories260k') },
    results: { type: 'string' },
    threads: { type: 'string', default: '2' },
  },
});
const threads = Number(options.threads);

const recipe = {
  stories: 3000,
  heldOut: 100,
  storyTokens: 256,
  temperature: 0.8,
  epochs: 3,
  // Packed: about two stories a row.
  batchSize: 8,
  sequenceLength: 512,
  learningRate: 5e-4,
  warmupRatio: 0.05,
  weightDecay: 0.01,
  noiseLength: 5,
};
const promptTokens = 24;
const newTokens = 128;
const beginning = 1; // <s>, which also ends a story
const endings = [1, 2];

if (!existsSync(path.join(options.model, 'config.json'))) {
  console.error(`stories260k.mjs: no model in ${options.model}: name its folder with --model`);
  process.exit(2);
}
mkdirSync(options.output, { recursive: true });

/** Token ids of one story, <s> first. */
async function writeStory(model, seed) {
  const { tokens } = await generate(model, {
    tokens: [beginning],
    maxNewTokens: recipe.storyTokens - 1,
    eosTokens: endings,
    sampling: { temperature: recipe.temperature, seed },
    decoding: { method: 'autoregressive' },
  });
  return [beginning, ...tokens];
}

/** Rows of pre-tokenised training data: every token after <s> counts. */
function writeRows(file, stories) {
  const rows = stories.map((ids) => JSON.stringify({ input_ids: ids, labels: [-100, ...ids.slice(1)] }));
  writeFileSync(file, rows.join('\n') + '\n');
}

async function writeStories() {
  const training = path.join(options.output, 'stories.jsonl');
  const heldOut = path.join(options.output, 'held-out.jsonl');
  const model = await loadModel(options.model, { dtype: 'f32', threads });
  const stories = [];
  for (let seed = 0; seed < recipe.stories + recipe.heldOut; seed++) {
    stories.push(await writeStory(model, seed));
    if (stories.length % 500 === 0) console.error(`${stories.length} stories`);
  }
  model.dispose();
  writeRows(training, stories.slice(0, recipe.stories));
  writeRows(heldOut, stories.slice(recipe.stories));
  return { training, heldOut };
}

async function fineTune(name, data, noise) {
  const output = path.join(options.output, name);
  rmSync(output, { recursive: true, force: true });
  const started = performance.now();
  const run = train({
    model: options.model,
    data: data.training,
    format: 'tokens',
    output,
    noise,
    epochs: recipe.epochs,
    batchSize: recipe.batchSize,
    sequenceLength: recipe.sequenceLength,
    learningRate: recipe.learningRate,
    schedule: 'cosine',
    warmupRatio: recipe.warmupRatio,
    optimizer: { weightDecay: recipe.weightDecay },
    clipNorm: 1,
    seed: 0,
    threads,
    resume: false,
    saveEvery: 0,
  });
  const { model: folder, steps } = await run;
  return { folder, steps, seconds: (performance.now() - started) / 1000 };
}

/** Loss in nats per token, and tokens per step, on the held-out stories. */
async function evaluate(folder, heldOut) {
  const model = await loadModel(folder, { dtype: 'f32', threads });
  const stories = readFileSync(heldOut, 'utf8')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row).input_ids);
  const sums = { loss: 0, tokens: 0 };
  const decoded = { 'tr-jacobi': { newTokens: 0, steps: 0 }, jacobi: { newTokens: 0, steps: 0 } };
  for (const tokens of stories) {
    const { logProbabilities } = await score(model, { tokens });
    for (const logProbability of logProbabilities) sums.loss -= logProbability;
    sums.tokens += logProbabilities.length;
    for (const method of Object.keys(decoded)) {
      const { stats } = await generate(model, {
        tokens: tokens.slice(0, promptTokens),
        maxNewTokens: newTokens,
        eosTokens: endings,
        decoding: method === 'jacobi' ? { method } : { method, tree: 'paper' },
      });
      decoded[method].newTokens += stats.newTokens;
      decoded[method].steps += stats.steps;
    }
  }
  model.dispose();
  const perStep = ({ newTokens, steps }) => newTokens / steps;
  return {
    loss: sums.loss / sums.tokens,
    tokensPerStep: perStep(decoded['tr-jacobi']),
    jacobiTokensPerStep: perStep(decoded.jacobi),
  };
}

const started = performance.now();
const data = await writeStories();
const noise = (segments) => ({ kind: 'ahead', length: recipe.noiseLength, segments, seed: 0 });
const variants = [
  { name: 'untrained' },
  { name: 'SFT', noise: false },
  { name: 'noisy, S 1', noise: noise(1) },
  { name: 'noisy, S 4', noise: noise(4) },
];
const rows = [];
for (const variant of variants) {
  const trained =
    variant.noise === undefined
      ? { folder: options.model, steps: 0, seconds: 0 }
      : await fineTune(variant.name.replaceAll(/\W+/g, '-'), data, variant.noise);
  const measured = await evaluate(trained.folder, data.heldOut);
  rows.push({ name: variant.name, steps: trained.steps, trainingSeconds: trained.seconds, ...measured });
  console.error(
    `${variant.name}: loss ${measured.loss.toFixed(3)}, ${measured.tokensPerStep.toFixed(2)} tokens per step`,
  );
}

const sft = rows.find(({ name }) => name === 'SFT');
console.log(
  '| stories260K | training steps | evaluation loss | over SFT | TR-Jacobi tokens per step | Jacobi |',
);
console.log('| --- | --- | --- | --- | --- | --- |');
for (const row of rows) {
  const over = row.loss - sft.loss;
  console.log(
    `| ${row.name} | ${row.steps} | ${row.loss.toFixed(3)} | ${over >= 0 ? '+' : ''}${over.toFixed(3)} ` +
      `| ${row.tokensPerStep.toFixed(2)} | ${row.jacobiTokensPerStep.toFixed(2)} |`,
  );
}
if (options.results !== undefined) {
  const seconds = (performance.now() - started) / 1000;
  const command = 'node bench/stories260k.mjs';
  const content = {
    command,
    machine: describeMachine(),
    threads,
    recipe,
    promptTokens,
    newTokens,
    rows,
    seconds,
  };
  writeFileSync(options.results, JSON.stringify(content, null, 2) + '\n');
}
