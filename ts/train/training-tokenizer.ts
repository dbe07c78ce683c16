/** A model's tokenizer as the data sets see it. */
import type { TrainingTokenizer } from '../data/tokenize';
import type { Tokenizer } from '../model/tokenizer';

/** @param eosTokens ids that end the model's texts; the first stands in where the tokenizer names none */
export function trainingTokenizer(tokenizer: Tokenizer, eosTokens: ArrayLike<number>): TrainingTokenizer {
  return {
    encode: (text, addSpecialTokens) => tokenizer.encode(text, { addSpecialTokens }),
    ...(tokenizer.hasChatTemplate && {
      renderChat: (messages, addGenerationPrompt) =>
        tokenizer.applyChatTemplate(messages, { addGenerationPrompt }),
    }),
    endOfSequence: tokenizer.eosToken ?? eosTokens[0],
    specialTexts: tokenizer.specialTokens.map(({ text }) => text),
  };
}
