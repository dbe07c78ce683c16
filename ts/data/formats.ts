/** From the columns of a row to an example: the formats that instruction data comes in. */
import { dataError, type SourceRow } from './read';
import { Columns } from './columns';

export interface Message {
  role: string;
  content: string;
}

/**
 * How the rows of a data set are to be read.
 * - `'prompt-completion'`: `{ prompt, completion }`, two texts, or two lists of messages; loss on the completion.
 * - `'messages'`: `{ messages: [{ role, content }] }`; loss on what the assistant says.
 * - `'alpaca'`: `{ instruction, input?, output, system? }`; loss on the output.
 * - `'sharegpt'`: `{ conversations: [{ from, value }], system? }`; loss on what `gpt` says.
 * - `'text'`: `{ text }`; loss on everything.
 * - `'tokens'`: `{ input_ids, labels? }`, already tokenised; loss where the label is not -100 (labels not shifted).
 * - `{ prompt, completion }`: as `'prompt-completion'`, with the columns of these names.
 * - `'auto'`: decided by the columns of the first row.
 */
export type DataFormat =
  | 'auto'
  | 'prompt-completion'
  | 'messages'
  | 'alpaca'
  | 'sharegpt'
  | 'text'
  | 'tokens'
  | { prompt: string; completion: string };

/** A row in the terms of training, still text unless it came as tokens. */
export type Example =
  /** Loss on the assistant messages from index `lossFrom` on. */
  | { kind: 'conversation'; messages: Message[]; lossFrom: number }
  /** `plainPrompt` stands for `prompt` where there is no chat template. */
  | { kind: 'completion'; system?: string; prompt: string; plainPrompt: string; completion: string }
  | { kind: 'text'; text: string }
  | { kind: 'tokens'; tokens: Int32Array; loss: Uint8Array };

/** Reads the example out of a row; throws ERR_DATA naming file, line and column. */
export type RowReader = (row: SourceRow) => Example;

/** The names that `format` accepts as text. */
export const FORMAT_NAMES = [
  'auto',
  'prompt-completion',
  'messages',
  'alpaca',
  'sharegpt',
  'text',
  'tokens',
] as const;

/** The reader for a format; `first` is the row that decides for `'auto'`. */
export function rowReader(format: DataFormat, first: SourceRow): RowReader {
  if (typeof format === 'object') return completionReader(format.prompt, format.completion);
  return READERS[format === 'auto' ? detectFormat(first) : format];
}

type NamedFormat = Exclude<DataFormat, 'auto' | object>;

/** Columns that give a format away, the most telling first. */
const SIGNATURES: ReadonlyArray<readonly [NamedFormat, readonly string[]]> = [
  ['tokens', ['input_ids']],
  ['messages', ['messages']],
  ['sharegpt', ['conversations']],
  ['prompt-completion', ['prompt', 'completion']],
  ['alpaca', ['instruction', 'output']],
  ['text', ['text']],
];

export function detectFormat(first: SourceRow): NamedFormat {
  const found = SIGNATURES.find(([, columns]) => columns.every((column) => first.columns[column] != null));
  if (found !== undefined) return found[0];
  const columns = Object.keys(first.columns).join(', ') || 'none';
  throw dataError(
    first.place,
    `format 'auto' knows no format with these columns: ${columns}. ` +
      "Name two of them, format: { prompt: 'question', completion: 'answer' }, or rename them to " +
      SIGNATURES.map(([, needed]) => needed.join(' + ')).join(', or '),
  );
}

/** The instruction prompt of Stanford Alpaca, which models without a chat template are tuned with. */
function alpacaPrompt(instruction: string, input: string): string {
  return input === ''
    ? 'Below is an instruction that describes a task. Write a response that appropriately completes the request.' +
        `\n\n### Instruction:\n${instruction}\n\n### Response:\n`
    : 'Below is an instruction that describes a task, paired with an input that provides further context. ' +
        'Write a response that appropriately completes the request.' +
        `\n\n### Instruction:\n${instruction}\n\n### Input:\n${input}\n\n### Response:\n`;
}

/** Roles of ShareGPT's many writers, in the words of chat templates. */
const SHAREGPT_ROLES: Readonly<Record<string, string>> = {
  system: 'system',
  human: 'user',
  user: 'user',
  gpt: 'assistant',
  chatgpt: 'assistant',
  assistant: 'assistant',
  tool: 'tool',
  observation: 'tool',
};

const READERS: Readonly<Record<NamedFormat, RowReader>> = {
  'prompt-completion': completionReader('prompt', 'completion'),
  messages: (row) => {
    const columns = new Columns(row);
    columns.refuse('tools', 'tool definitions are not supported');
    return { kind: 'conversation', messages: columns.messages('messages', 'role', 'content'), lossFrom: 0 };
  },
  alpaca: (row) => {
    const columns = new Columns(row);
    const instruction = columns.text('instruction');
    const input = columns.optionalText('input');
    return {
      kind: 'completion',
      system: columns.optionalText('system') || undefined,
      prompt: input === '' ? instruction : `${instruction}\n\n${input}`,
      plainPrompt: alpacaPrompt(instruction, input),
      completion: columns.text('output'),
    };
  },
  sharegpt: (row) => {
    const columns = new Columns(row);
    const [role, content] = columns.hasKey('conversations', 'role') ? ['role', 'content'] : ['from', 'value'];
    const messages = columns.messages('conversations', role, content, SHAREGPT_ROLES);
    const system = columns.optionalText('system');
    if (system !== '' && messages[0]?.role !== 'system')
      messages.unshift({ role: 'system', content: system });
    return { kind: 'conversation', messages, lossFrom: 0 };
  },
  text: (row) => ({ kind: 'text', text: new Columns(row).text('text') }),
  tokens: (row) => ({ kind: 'tokens', ...new Columns(row).tokens('input_ids', 'labels') }),
};

function completionReader(prompt: string, completion: string): RowReader {
  return (row) => {
    const columns = new Columns(row);
    if (Array.isArray(row.columns[prompt])) {
      const before = columns.messages(prompt, 'role', 'content');
      const after = columns.messages(completion, 'role', 'content');
      return { kind: 'conversation', messages: [...before, ...after], lossFrom: before.length };
    }
    const text = columns.text(prompt);
    return { kind: 'completion', prompt: text, plainPrompt: text, completion: columns.text(completion) };
  };
}
