/** Progress bars on standard error, and only where it is a terminal. */
import { SingleBar } from 'cli-progress';

/** A bar, or nothing at all where nobody would see it. */
export interface Progress {
  update(done: number, fields?: Record<string, string>): void;
  /** Prints a line above the bar. */
  line(text: string): void;
  /** Removes the bar. */
  stop(): void;
}

/**
 * @param format cli-progress' words: {bar}, {percentage}, and the names of fields
 * @param total what `done` grows to
 * @param wanted false: no bar (`--json`)
 */
export function startProgress(format: string, total: number, wanted: boolean, fields = {}): Progress {
  if (!wanted || !process.stderr.isTTY) {
    return { update: () => undefined, line: printLine, stop: () => undefined };
  }
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 24,
    barCompleteChar: '━',
    barIncompleteChar: '─',
    fps: 10,
    // Signals are the commands' own business.
    gracefulExit: false,
  });
  bar.start(total, 0, fields);
  return {
    update: (done, changed) => bar.update(done, changed ?? {}),
    line: (text) => {
      process.stderr.write('\r\x1b[K');
      printLine(text);
      bar.render();
    },
    stop: () => bar.stop(),
  };
}

function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}
