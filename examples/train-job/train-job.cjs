// A scripted training job: plain and noisy fine-tuning of the same model, compared. A CommonJS module.
//   node train-job.cjs [MODEL_FOLDER DATA_FILE]
// Without arguments a tiny model is made, and data in token ids that it can learn in seconds.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { createModel, train } = require('makesomenoise');

const output = path.join(__dirname, 'out');

async function main() {
  const [folder, dataFile] = process.argv.slice(2);
  const data = dataFile ?? writeCountingData();
  const results = {};
  for (const [name, noise] of [
    ['plain', false],
    ['noisy', { length: 5, segments: 1 }],
  ]) {
    const model = folder ?? (await makeTinyModel());
    results[name] = await runJob(name, { model, data, noise });
  }
  for (const [name, result] of Object.entries(results)) {
    const accuracy = result.denoisingAccuracy.map((part) => part.toFixed(2)).join(' ');
    console.log(
      `${name}: evaluation loss ${result.evalLoss.toFixed(4)}, ${result.tokensPerStep.toFixed(2)} tokens per step, ` +
        `denoising accuracy by offset ${accuracy}`,
    );
  }
  console.log(`models: ${results.plain.model}, ${results.noisy.model}`);
}

async function runJob(name, { model, data, noise }) {
  const run = train({
    model,
    data,
    evalFraction: 0.1,
    output: path.join(output, name),
    noise,
    steps: 300,
    batchSize: 16,
    packing: false,
    learningRate: 3e-3,
    evalEvery: 100,
    saveEvery: 100,
  });
  for await (const event of run) {
    if (event.type === 'eval')
      console.log(`${name}, step ${event.step}: evaluation loss ${event.loss.toFixed(4)}`);
    if (event.type === 'checkpoint')
      console.log(`${name}, step ${event.step}: saved ${path.basename(event.path)}`);
  }
  return run;
}

function makeTinyModel() {
  const config = {
    vocab_size: 32,
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    max_position_embeddings: 64,
    eos_token_id: 31,
  };
  return createModel(config, { seed: 0 });
}

/** Rows of token ids: a start s and a stride d, then s + d, s + 2 d, … below 30, and the end token 31. */
function writeCountingData() {
  fs.mkdirSync(output, { recursive: true });
  const file = path.join(output, 'counting.jsonl');
  const rows = [];
  for (let start = 0; start < 30; start++) {
    for (let stride = 1; stride < 10; stride++) {
      const prompt = [30, start, stride];
      const response = Array.from({ length: 16 }, (_, index) => (start + (index + 1) * stride) % 30);
      const labels = [...prompt.map(() => -100), ...response, 31];
      rows.push(JSON.stringify({ input_ids: [...prompt, ...response, 31], labels }));
    }
  }
  fs.writeFileSync(file, `${rows.join('\n')}\n`);
  return file;
}

main().catch((error) => {
  console.error(`${error.code ?? 'ERROR'}: ${error.message}`);
  process.exitCode = 1;
});
