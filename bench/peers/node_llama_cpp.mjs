// Times greedy decoding, and 16 tokens in one step, beside node-llama-cpp: same weights, prompt, token count and
// threads, in turns within one run.
//
//   node bench/peers/node_llama_cpp.mjs --peer FOLDER --gguf FILE.gguf --model FOLDER [--threads 2] [--json]
//
// --peer is a folder in which node-llama-cpp 3.22 is installed, --gguf what make_gguf.py wrote from --model.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    peer: { type: 'string' },
    gguf: { type: 'string' },
    model: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    'new-tokens': { type: 'string', default: '64' },
    json: { type: 'boolean', default: false },
  },
});
for (const name of ['peer', 'gguf', 'model']) {
  if (options[name] === undefined) {
    console.error(`node_llama_cpp.mjs: --${name} is missing; the file's first lines show how it is run`);
    process.exit(2);
  }
}
const threads = Number(options.threads);
const rounds = Number(options.rounds);
const newTokens = Number(options['new-tokens']);
const nodeCounts = [1, 4, 16, 32];
const message =
  'Explain in a few sentences how a bicycle stays upright, and give two practical tips for a beginner.';

const require = createRequire(import.meta.url);
const { loadModel, generate } = require('../../dist/index.js');
const { timePasses } = require('../../dist/bench/passes.js');
const { spreadOf } = require('../../dist/bench/statistics.js');

const peerFolder = path.join(path.resolve(options.peer), 'node_modules', 'node-llama-cpp');
const { getLlama } = await import(pathToFileURL(path.join(peerFolder, 'dist', 'index.js')).href);
const peerVersion = JSON.parse(readFileSync(path.join(peerFolder, 'package.json'), 'utf8')).version;

const model = await loadModel(options.model, { dtype: 'bf16', threads });
const chat = model.tokenizer.applyChatTemplate([{ role: 'user', content: message }]);
const prompt = await model.tokenizer.encode(chat, { addSpecialTokens: false });

const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  maxThreads: threads,
  progressLogs: false,
});
const peerModel = await llama.loadModel({ modelPath: path.resolve(options.gguf) });
const peerContext = await peerModel.createContext({ contextSize: 2048, batchSize: 512, threads });
const sequence = peerContext.getSequence();

/** Puts the cache back to the prompt less its last token. */
async function rewindPeer() {
  await sequence.clearHistory();
  await sequence.evaluateWithoutGeneratingNewTokens([...prompt.subarray(0, -1)]);
}

/**
 * The median time between two tokens as Node sees them arrive: a core that the system lends to another process for a
 * moment costs a mean more than it says.
 */
const medianInterval = (arrivals) =>
  spreadOf(arrivals.slice(1).map((time, index) => time - arrivals[index])).median;

async function decodeOurs() {
  const tokens = [];
  const arrivals = [];
  const generation = generate(model, {
    tokens: prompt,
    maxNewTokens: newTokens,
    eosTokens: [],
    decoding: { method: 'autoregressive' },
  });
  for await (const chunk of generation) {
    tokens.push(...chunk.tokens);
    arrivals.push(performance.now());
  }
  return { tokens, milliseconds: medianInterval(arrivals) };
}

async function decodePeer() {
  await rewindPeer();
  const tokens = [];
  const arrivals = [];
  const last = [prompt[prompt.length - 1]];
  for await (const token of sequence.evaluate(last, { temperature: 0, yieldEogToken: true })) {
    tokens.push(token);
    arrivals.push(performance.now());
    if (tokens.length === newTokens) break;
  }
  return { tokens, milliseconds: medianInterval(arrivals) };
}

async function passOurs(nodes) {
  const [milliseconds] = await timePasses(model, {
    nodes,
    prefix: prompt.length - 1,
    repeats: 1,
    withLogits: true,
  });
  return milliseconds;
}

/** One batch with the next token of each of its tokens, as a verification needs it. */
async function passPeer(nodes, text) {
  await rewindPeer();
  const input = text
    .slice(0, nodes)
    .map((token) => [token, { generateNext: { token: true, options: { temperature: 0 } } }]);
  const started = performance.now();
  await sequence.controlledEvaluate(input);
  return performance.now() - started;
}

const reference = await decodeOurs();
const peerText = (await decodePeer()).tokens;
const differs = reference.tokens.findIndex((token, index) => token !== peerText[index]);

const rows = [];
async function compare(name, unit, ours, peer) {
  const samples = { ours: [], peer: [] };
  for (let round = 0; round <= rounds; round++) {
    const pair = { ours: await ours(), peer: await peer() };
    if (round === 0) continue; // warm-up
    samples.ours.push(pair.ours);
    samples.peer.push(pair.peer);
  }
  rows.push({ name, unit, ours: spreadOf(samples.ours), peer: spreadOf(samples.peer) });
}
await compare(
  `greedy decoding, ${newTokens} tokens`,
  'ms/token',
  async () => (await decodeOurs()).milliseconds,
  async () => (await decodePeer()).milliseconds,
);
for (const nodes of nodeCounts) {
  await compare(
    `one step of ${nodes}`,
    'ms',
    () => passOurs(nodes),
    () => passPeer(nodes, reference.tokens),
  );
}

const equalTokens = differs === -1 ? newTokens : differs;
if (options.json) {
  console.log(
    JSON.stringify({ peerVersion, threads, promptTokens: prompt.length, equalTokens, rows }, null, 2),
  );
} else {
  const cell = ({ median, min, max }) => `${median.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`;
  console.log(
    `node-llama-cpp ${peerVersion}, ${threads} threads, prompt of ${prompt.length} tokens, ${rounds} rounds in turns`,
  );
  console.log(`greedy text: the first ${equalTokens} of ${newTokens} tokens are equal\n`);
  console.log('| | unit | makesomenoise | node-llama-cpp |\n|---|---|---|---|');
  for (const row of rows)
    console.log(`| ${row.name} | ${row.unit} | ${cell(row.ours)} | ${cell(row.peer)} |`);
}
await peerContext.dispose();
await peerModel.dispose();
await llama.dispose();
model.dispose();
