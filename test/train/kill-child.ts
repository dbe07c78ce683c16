/** A slow fake run for kill.test.ts: says on stdout which file it begins to write. */
import { fakeTrain } from './session-support';

const [data, output] = process.argv.slice(2) as [string, string];
const say = (line: string): void => void process.stdout.write(line + '\n');
const run = fakeTrain(
  { data, output, steps: 12, saveEvery: 1, keepLast: 2 },
  { behaviour: { tensorMs: 8, onWrite: say } },
);
void run.then(() => say('done'));
