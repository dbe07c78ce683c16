/** What a generation did, counted step by step. */
import type { NativeDecodingStep } from '../native/contract';

/** Where accepted guesses came from. */
export interface DraftSources {
  /** The model's own last pass. */
  model: number;
  /** What the text had said before. */
  retrieval: number;
  /** A random token that happened to be right. */
  noise: number;
}

/** What a generation did. */
export interface GenerationStatistics {
  promptTokens: number;
  newTokens: number;
  /** Forward passes after the prefill. */
  steps: number;
  /** newTokens / steps; 0 without a step. */
  tokensPerStep: number;
  /** Tokens that each step gave: accepted guesses and one more. The last step may have given more than were used. */
  acceptedLengths: number[];
  /** Accepted guesses by where they came from. */
  draftSources: DraftSources;
  /** Milliseconds for the prompt. */
  prefillMs: number;
  /** Milliseconds in decoding steps. */
  decodeMs: number;
  /** newTokens a second of decodeMs; 0 without a step. */
  tokensPerSecond: number;
}

const sourceNames = ['model', 'noise', 'retrieval'] as const;

export class StatisticsCounter {
  prefillMs = 0;
  private newTokens = 0;
  private decodeMs = 0;
  private readonly acceptedLengths: number[] = [];
  private readonly draftSources: DraftSources = { model: 0, retrieval: 0, noise: 0 };

  constructor(public promptTokens: number) {}

  /** A step of which `newTokens` tokens were used. */
  add(step: NativeDecodingStep, newTokens: number): void {
    this.newTokens += newTokens;
    this.decodeMs += step.milliseconds;
    this.acceptedLengths.push(step.acceptedLength);
    for (const source of step.acceptedSources) this.draftSources[sourceNames[source]!]++;
  }

  get result(): GenerationStatistics {
    const { promptTokens, newTokens, acceptedLengths, draftSources, prefillMs, decodeMs } = this;
    const steps = acceptedLengths.length;
    return {
      promptTokens,
      newTokens,
      steps,
      tokensPerStep: steps === 0 ? 0 : newTokens / steps,
      acceptedLengths: [...acceptedLengths],
      draftSources: { ...draftSources },
      prefillMs,
      decodeMs,
      tokensPerSecond: decodeMs === 0 ? 0 : newTokens / (decodeMs / 1000),
    };
  }
}
