/** Progress bars on standard error, and only where it is a terminal. */
import { SingleBar } from 'cli-progress';

/** A bar, or nothing at all where nobody would see it. */
export interface Progress {
  update(done: number, fields?: Record<string, string>): void;
  /** Removes the bar while `print` writes lines. */
  interrupt(print: () => void): void;
  /** Removes the bar. */
  stop(): void;
}

const NO_PROGRESS: Progress = {
  update: () => undefined,
  interrupt: (print) => print(),
  stop: () => undefined,
};

/**
 * @param format cli-progress' words: {bar}, {percentage}, and the names of fields
 * @param total what `done` grows to
 * @param isWanted false: no bar (`--json`)
 * @param fields values of the format's own words before the first update
 */
export function startProgress(
  format: string,
  total: number,
  isWanted: boolean,
  fields: Record<string, string> = {},
): Progress {
  return isWanted && process.stderr.isTTY ? new TerminalProgress(format, total, fields) : NO_PROGRESS;
}

class TerminalProgress implements Progress {
  private readonly bar: SingleBar;
  private done = 0;

  /** The bar hides the cursor: a process that ends must give it back. */
  private readonly onExit = (): void => this.bar.stop();

  constructor(
    format: string,
    private readonly total: number,
    private fields: Record<string, string>,
  ) {
    this.bar = new SingleBar({
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
    this.bar.start(total, 0, fields);
    process.once('exit', this.onExit);
  }

  update(done: number, fields: Record<string, string> = {}): void {
    this.done = done;
    this.fields = { ...this.fields, ...fields };
    this.bar.update(done, fields);
  }

  interrupt(print: () => void): void {
    // Begun anew below what was printed: the bar returns to the place where it began, wherever the cursor is.
    this.bar.stop();
    print();
    this.bar.start(this.total, this.done, this.fields);
  }

  stop(): void {
    process.off('exit', this.onExit);
    this.bar.stop();
  }
}
