/** Loading a model with a bar, as every command does that needs one. */
import { loadModel, type LoadOptions, type Model } from '../index';
import { collectOptions, modelRows } from './options';
import { bytes } from './output';
import { startProgress, type Progress } from './progress';

/** `flags` of a command with {@link modelRows}; no bar with `--json`. */
export async function loadWithProgress(
  folder: string,
  flags: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): Promise<Model> {
  let progress: Progress | undefined;
  try {
    return await loadModel(folder, {
      ...(collectOptions(flags, modelRows) as LoadOptions),
      signal,
      onProgress: ({ doneBytes, totalBytes }) => {
        progress ??= startProgress('loading {bar} {percentage}% of {size}', totalBytes, flags.json !== true, {
          size: bytes(totalBytes),
        });
        progress.update(doneBytes);
      },
    });
  } finally {
    progress?.stop();
  }
}
