/** Runs `train` with the options of the first argument and kills itself at the step of the second. */
import { train, type TrainOptions } from '../../ts/train/train';

async function main(): Promise<void> {
  const [given, last] = process.argv.slice(2) as [string, string];
  for await (const event of train(JSON.parse(given) as TrainOptions)) {
    // SIGKILL: no handler runs and nothing is cleaned up.
    if (event.type === 'step' && event.step === Number(last)) process.kill(process.pid, 'SIGKILL');
  }
}
void main();
