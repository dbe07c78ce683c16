/** The output folder of a run: may it be written, and does an earlier run go on in it? */
import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { MakeSomeNoiseError } from '../errors';
import {
  checkpointPath,
  checkpointSteps,
  latestCheckpoint,
  readCheckpoint,
  type Checkpoint,
} from './checkpoint';
import { makeFolders, removeFolderAtomically, removePartials, unwritable } from '../durable';
import { checkFingerprint, type Fingerprint } from './fingerprint';
import { REPORT_FILE } from './report';

export type Resume = 'auto' | false | (string & {});

/**
 * Makes the folder if it is missing and says early what would fail late.
 * @throws MakeSomeNoiseError ERR_CHECKPOINT when it cannot be made or written, ERR_INVALID_ARGUMENT when it holds a
 * model that no training run wrote
 */
export async function openOutput(output: string): Promise<void> {
  let names: string[];
  try {
    await makeFolders(output);
    names = await readdir(output);
    await access(output, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw unwritable(`output: ${output}`, cause);
  }
  const foreign = names.find((name) => name === 'config.json' || name.endsWith('.safetensors'));
  if (foreign === undefined || names.includes(REPORT_FILE)) return;
  throw new MakeSomeNoiseError(
    'ERR_INVALID_ARGUMENT',
    `output: ${output} holds a model that is not from a training run (${foreign}); choose another folder`,
  );
}

/** The checkpoint to begin with, if any, after checking that this run may go on from it. */
export async function findCheckpoint(
  output: string,
  resume: Resume,
  fingerprint: Fingerprint,
  totalSteps: number,
): Promise<Checkpoint | undefined> {
  if (resume === false) return undefined;
  const latest = await latestCheckpoint(output);
  // Also when another checkpoint is named: what this run writes must not mix with that of other settings.
  if (latest !== undefined) checkFingerprint(latest.path, latest.state.fingerprint, fingerprint);
  const checkpoint = resume === 'auto' ? latest : await readCheckpoint(resume);
  if (checkpoint === undefined) return undefined;
  checkFingerprint(checkpoint.path, checkpoint.state.fingerprint, fingerprint);
  if (checkpoint.state.step > totalSteps) {
    throw new MakeSomeNoiseError(
      'ERR_CHECKPOINT',
      `${checkpoint.path}: has done ${checkpoint.state.step} steps, the run is to have ${totalSteps}`,
    );
  }
  return checkpoint;
}

/** Removes what an interrupted run left half-written and, for a run that begins anew, the earlier checkpoints. */
export async function clearOutput(output: string, resume: Resume): Promise<string[]> {
  const messages: string[] = [];
  try {
    const partials = await removePartials(output);
    if (partials.length > 0) messages.push(`removed what an interrupted run left: ${partials.join(', ')}`);
    const steps = resume === false ? await checkpointSteps(output) : [];
    for (const step of steps) await removeFolderAtomically(checkpointPath(output, step));
    if (steps.length > 0) {
      messages.push(`removed the earlier checkpoints of steps ${steps.join(', ')}, as resume is false`);
    }
  } catch (cause) {
    throw unwritable(output, cause);
  }
  return messages;
}
