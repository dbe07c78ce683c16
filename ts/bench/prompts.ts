/** Prompts of the suite generate: kinds of work that a small instruction model meets, and plain text for others. */
import type { Model } from '../model/model';
import { randomTokens } from './random-tokens';
import type { BenchSettings } from './settings';

const messages = [
  'Explain in a few sentences how a bicycle stays upright, and give two practical tips for a beginner.',
  'Write a Python function that reads a CSV file and returns the sum of each numeric column.',
  'Summarize: The town council met on Tuesday to discuss the new bridge. The bridge will connect the old market with ' +
    'the railway station and will cost about four million. Work is to begin in spring and to end within two years. ' +
    'Shop owners near the market fear that the noise will keep customers away, and asked the council for support.',
  'Rewrite this list as JSON with the keys name and price: apples 2.50, pears 3.10, plums 4.00, cherries 7.90.',
  'Translate into French: The library is open from nine to five, and the garden behind it is open all day.',
  'A shop sells pencils at 3 for 2 dollars. How much do 18 pencils cost? Think step by step.',
];

const texts = [
  'Once upon a time, there was a little boy who',
  'One day, a cat and a dog went to the park.',
  'The sun was shining, and everybody in the village',
  'She opened the box and found',
];

/** Token ids of every prompt: chat messages where the model has a template, else text, else random ids. */
export async function benchPrompts(model: Model, settings: BenchSettings): Promise<Int32Array[]> {
  const { vocabularySize } = model.info;
  if (!model.hasTokenizer) {
    return [0, 1].map((offset) =>
      randomTokens(settings.promptTokens, vocabularySize, settings.seed + offset),
    );
  }
  const { tokenizer } = model;
  const custom = settings.prompts;
  if (!tokenizer.hasChatTemplate) {
    return Promise.all((custom.length > 0 ? custom : texts).map((text) => tokenizer.encode(text)));
  }
  const turns = custom.length > 0 ? custom : messages;
  return Promise.all(
    turns.map((content) =>
      tokenizer.encode(tokenizer.applyChatTemplate([{ role: 'user', content }]), { addSpecialTokens: false }),
    ),
  );
}
