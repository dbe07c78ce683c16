// Generates with every method and shows that the tokens are the same and the steps fewer.
//   node generate.mjs [MODEL_FOLDER] [PROMPT]
// Without a folder a tiny untrained model is made, which works in token ids.
import { createModel, generate, loadModel } from 'makesomenoise';

const [folder, prompt = 'Once upon a time'] = process.argv.slice(2);
const model = folder === undefined ? await makeTinyModel() : await loadModel(folder);
const input = folder === undefined ? { tokens: Int32Array.of(1, 17, 42, 17, 42) } : { prompt };
console.log(`${model.info.architecture}, ${model.info.parameters.toLocaleString('en-US')} parameters`);

// As it comes: a generation is an async iterable of its parts ...
const streamed = generate(model, { ...input, maxNewTokens: 48 });
for await (const chunk of streamed) process.stdout.write(chunk.text || `${[...chunk.tokens].join(' ')} `);
console.log('\n');

// ... and a promise of the whole.
const texts = new Set();
for (const method of ['autoregressive', 'jacobi', 'tr-jacobi']) {
  const { tokens, stats } = await generate(model, { ...input, maxNewTokens: 48, decoding: { method } });
  texts.add(tokens.join());
  console.log(
    `${method.padEnd(15)} ${stats.newTokens} tokens in ${stats.steps} steps, ${stats.tokensPerSecond.toFixed(0)} tokens/s`,
  );
}
model.dispose();

if (texts.size !== 1) throw new Error('the methods gave different texts');
console.log('every method gave the same tokens');

function makeTinyModel() {
  const config = { vocab_size: 64, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4 };
  // Large random weights: the text is nonsense, but it repeats itself, which drafts can guess.
  return createModel(config, { seed: 3, initializerRange: 0.4 });
}
