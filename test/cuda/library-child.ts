/** What is found on this machine, and what a model and a run of training compute; in JSON on stdout. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createModel, generate, train, type DeviceInfo, type ModelConfigInput } from '../../ts';
import type { NativeCudaReport } from '../../ts/native/contract';
import { loadNative } from '../../ts/native/load';

export interface Found {
  cuda: NativeCudaReport;
  auto: DeviceInfo;
  dtype: string;
}

export interface Computed {
  tokens: number[];
  losses: number[];
}

const config: ModelConfigInput = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 512,
  hidden_size: 128,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 256,
  max_position_embeddings: 512,
};
const text = Array.from({ length: 301 }, (_, index) => (index * index + 3 * index) % 512);

async function find(): Promise<Found> {
  await using model = await createModel(config, { seed: 1, threads: 2 });
  return { cuda: loadNative().cuda(), auto: model.info.engine, dtype: model.info.dtype };
}

async function compute(): Promise<Computed> {
  const folder = mkdtempSync(join(tmpdir(), 'msn-library-'));
  try {
    await using model = await createModel(config, { seed: 1, device: 'cuda' });
    const { tokens } = await generate(model, {
      tokens: Int32Array.from(text),
      maxNewTokens: 8,
      eosTokens: [],
    });
    const data = join(folder, 'data.jsonl');
    writeFileSync(data, `${JSON.stringify({ input_ids: text, labels: text })}\n`);
    const run = train({
      model,
      data,
      format: 'tokens',
      output: join(folder, 'out'),
      device: 'cuda',
      steps: 2,
      sequenceLength: 301,
      learningRate: 1e-3,
      saveEvery: 0,
    });
    const losses: number[] = [];
    for await (const event of run) if (event.type === 'step') losses.push(event.loss);
    await run;
    return { tokens: [...tokens], losses };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void (process.argv[2] === 'find' ? find() : compute()).then((answer) => {
  process.stdout.write(JSON.stringify(answer));
});
