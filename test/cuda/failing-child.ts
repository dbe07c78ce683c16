/**
 * Lets one thing fail on CUDA and tells, in JSON on stdout, how it failed and what still works afterwards. Arguments:
 * the scenario and the device. A process of its own, since the environment decides what fails and a lost device stays
 * lost.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createModel, devices, generate, train, type Model, type ModelConfigInput } from '../../ts';

export interface Outcome {
  /** Of the failure; undefined when nothing failed. */
  code: string | undefined;
  message: string;
  /** Code of the same thing done once more. */
  again: string | undefined;
  /** New tokens of the CPU engine, afterwards. */
  cpuTokens: number;
  /** Whether all memory of the devices that can be used is free when everything is disposed of. */
  allFree: boolean;
  devices: Array<{ kind: string; available: boolean; reason: string }>;
}

const config: ModelConfigInput = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 512,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 128,
  max_position_embeddings: 4096,
  tie_word_embeddings: true,
};
const prompt = Int32Array.from({ length: 32 }, (_, index) => (index * 7) % 512);
const write = (model: Model, maxNewTokens: number) =>
  generate(model, { tokens: prompt, maxNewTokens, eosTokens: [], decoding: { tree: { nodes: 8 } } });

const firstDevice = () => devices().find(({ kind }) => kind === 'cuda:0')!;
const freeBytes = () => firstDevice().freeBytes;

/** From now on no device has memory left, but for `spare` bytes. */
function fillMemory(spare: number): void {
  const cuda = firstDevice();
  process.env.MSN_SHIM_MEMORY_BYTES = String(cuda.memoryBytes - cuda.freeBytes + spare);
}

type Scenario = (device: 'cuda') => Promise<void>;

const scenarios: Record<string, Scenario> = {
  load: async (device) => {
    await using model = await createModel(config, { device });
    await write(model, 4);
  },
  generate: async (device) => {
    await using model = await createModel(config, { device });
    await write(model, 40);
  },
  'cache is full': async (device) => {
    await using model = await createModel(config, { device });
    await write(model, 4);
    fillMemory(20_000);
    try {
      await write(model, 2000);
    } finally {
      delete process.env.MSN_SHIM_MEMORY_BYTES;
      await write(model, 4); // the model goes on
    }
  },
  'memory is full of what another model keeps': async (device) => {
    await using first = await createModel(config, { device });
    await write(first, 4);
    const before = freeBytes();
    const another = async () => {
      await using second = await createModel(config, { device });
      await write(second, 4);
      return before - freeBytes();
    };
    const wanted = await another();
    await eventually(() => freeBytes() === before);
    fillMemory(wanted - 500_000); // half of what the first model keeps
    try {
      await another();
    } finally {
      delete process.env.MSN_SHIM_MEMORY_BYTES;
      await write(first, 4);
    }
  },
  train: async (device) => fit(device),
  'memory is full when training begins': async (device) => {
    fillMemory(500_000);
    try {
      await fit(device);
    } finally {
      delete process.env.MSN_SHIM_MEMORY_BYTES;
    }
  },
  'memory is full in a step': async (device) => {
    fillMemory(2_000_000); // the weights, gradients and moments have room, the activations have not
    try {
      await fit(device);
    } finally {
      delete process.env.MSN_SHIM_MEMORY_BYTES;
    }
  },
};

async function fit(device: 'cuda'): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'msn-failing-'));
  try {
    await using model = await createModel(config, { device: 'cpu' });
    const data = join(folder, 'data.jsonl');
    writeFileSync(data, `${JSON.stringify({ input_ids: [...prompt], labels: [...prompt] })}\n`);
    const run = train({
      model,
      data,
      format: 'tokens',
      output: join(folder, 'out'),
      device,
      steps: 3,
      sequenceLength: 32,
      saveEvery: 0,
    });
    await run;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function failure(scenario: Scenario, device: 'cuda'): Promise<{ code?: string; message: string }> {
  try {
    await scenario(device);
    return { message: '' };
  } catch (error) {
    return error as { code?: string; message: string };
  }
}

const isFree = () =>
  devices().every(
    ({ kind, available, memoryBytes, freeBytes }) =>
      kind === 'cpu' || !available || memoryBytes === freeBytes,
  );

/** Models are freed on their own threads, a moment after they are disposed of. */
async function eventually(happens: () => boolean): Promise<boolean> {
  for (let attempt = 0; attempt < 100 && !happens(); attempt++)
    await new Promise((done) => setTimeout(done, 20));
  return happens();
}

async function main(name: string, device: 'cuda'): Promise<Outcome> {
  const { code, message } = await failure(scenarios[name]!, device);
  const { code: again } = await failure(scenarios[name]!, device);
  await using cpu = await createModel(config, { device: 'cpu' });
  const { tokens } = await write(cpu, 8);
  return {
    code,
    message,
    again,
    cpuTokens: tokens.length,
    allFree: await eventually(isFree),
    devices: devices().map(({ kind, available, reason }) => ({ kind, available, reason })),
  };
}

void main(process.argv[2]!, process.argv[3] as 'cuda').then((outcome) => {
  process.stdout.write(JSON.stringify(outcome));
});
