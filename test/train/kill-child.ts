/**
 * A slow fake run for kill.test.ts. Where the arguments say so it kills itself, `afterMs` behind the beginning of the
 * `writes`-th file of this session: no handler runs and nothing is cleaned up, as when somebody else sends the signal.
 */
import { fakeTrain } from './session-support';

const [data, output, writes, afterMs] = process.argv.slice(2) as [string, string, string?, string?];
let seen = 0;
const onWrite = (): void => {
  if (++seen === Number(writes)) setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(afterMs));
};
void fakeTrain(
  { data, output, steps: 20, saveEvery: 1, keepLast: 2 },
  { behaviour: { tensorMs: 8, onWrite } },
).then(() => undefined);
