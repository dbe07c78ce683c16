/** The public `train`: options in, a running handle out. */
import { path, either, options, validate } from '../validate';
import { modelSchema, type Model } from '../model/model';
import { cancellable } from '../native/cancel';
import { loadNative } from '../native/load';
import { RunControl } from './control';
import { trainingSource } from './model-source';
import { checkTogether, trainingOptions, type TrainingOptions } from './options';
import { TrainingRun } from './run';
import { runSession } from './session';

/** What to train, on what, and how. */
export interface TrainOptions extends TrainingOptions {
  /**
   * A model folder in the Hugging Face format, or a model in memory: one made by `createModel`, to train from scratch.
   * A model in memory stays as it is; it must not be disposed before the run's first step.
   */
  model: string | Model;
}

const trainSchema = options({
  model: either('the path of a model folder, or a Model', [path(), modelSchema()] as const),
  ...trainingOptions,
});

/**
 * Fine-tunes a model with noise in its inputs ("Make Some Noise", arXiv 2406.17404), so that it guesses several tokens
 * ahead; with `noise: false` it is plain supervised fine-tuning. Loss is next-token cross-entropy on what the model is
 * to say, minimised with AdamW on f32 weights; the CPU computes in f32, CUDA in bf16 with f32 sums.
 *
 * The run begins at once and goes on whether or not somebody listens. Await the handle for the result, iterate over it
 * for the events. The trained model is in `output`, checkpoints are beside it in `output/checkpoint-N`, each a model
 * folder itself; the report is `output/training-report.json`. A run that was killed goes on from its last checkpoint
 * when it is started again with the same options, and ends with the same bits on the same device. A checkpoint holds nothing of
 * the device: a run may go on on another.
 *
 * Rows that are wrong (a missing column, a wrong type, broken JSON) are errors naming file and line. Rows that are of
 * no use (more tokens than `sequenceLength`, no loss, no response of two tokens) are left out, counted in the report
 * and told in a 'log' event.
 *
 * @throws MakeSomeNoiseError (the handle rejects) ERR_INVALID_ARGUMENT, ERR_DATA, ERR_MODEL_FORMAT, ERR_UNSUPPORTED,
 *   ERR_CHECKPOINT for a checkpoint of other settings or data and for an output that cannot be written, ERR_DEVICE,
 *   ERR_OUT_OF_MEMORY, ERR_ABORTED, ERR_INTERNAL when the loss is no longer a number
 * @example
 * const run = train({ model: 'SmolLM2-135M-Instruct', data: 'train.jsonl', evalFraction: 0.05, output: 'out' });
 * for await (const event of run) if (event.type === 'step') console.log(event.step, event.loss);
 * const { model, evalLoss, tokensPerStep } = await run;
 */
export function train(given: TrainOptions): TrainingRun {
  let checked: ReturnType<typeof checkOptions>;
  try {
    checked = checkOptions(given);
  } catch (error) {
    return new TrainingRun(new RunControl(undefined), () => {
      throw error;
    });
  }
  const { model, ...plain } = checked;
  const control = new RunControl(plain.signal);
  return new TrainingRun(control, (emit) => {
    const native = loadNative();
    return cancellable(native, plain.signal, async (cancel) => {
      const source = await trainingSource(model);
      const modelName = typeof model === 'string' ? model : 'a model in memory';
      return runSession({ options: plain, modelName, source, native, control, cancel, emit });
    });
  });
}

function checkOptions(given: TrainOptions) {
  const checked = validate(trainSchema, given);
  checkTogether(checked);
  return checked;
}
