/** A conversation in the terminal: a streaming reply, a line of statistics, the next question. */
import { createInterface, type Interface } from 'node:readline/promises';
import { generate, type ChatMessage, type GenerateOptions, type Model } from '../index';
import { isChatModel, statisticsLine, systemMessages } from './generate';
import { bold, dim, printText } from './output';

/** New tokens of a reply, where the user names no other number; a reply ends earlier by itself. */
const REPLY_TOKENS = 1024;

interface ChatFlags {
  system?: string;
  raw?: true;
}

/** Runs until the user leaves with /exit, Ctrl-D, or Ctrl-C at the prompt; Ctrl-C during a reply stops the reply. */
export async function chat(model: Model, options: GenerateOptions, flags: ChatFlags): Promise<void> {
  const isChat = flags.raw !== true && isChatModel(model);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  // A closed terminal leaves a question unanswered for ever.
  const closed = new Promise<undefined>((resolve) => terminal.once('close', () => resolve(undefined)));
  let messages: ChatMessage[] = systemMessages(flags.system);
  printText(dim(greeting(isChat)));
  try {
    for (;;) {
      const question = await Promise.race([terminal.question(bold('> ')), closed]);
      if (question === undefined || question.trim() === '/exit') return;
      if (question.trim() === '') continue;
      if (question.trim() === '/new') {
        messages = systemMessages(flags.system);
        printText(dim('a new conversation'));
        continue;
      }
      messages.push({ role: 'user', content: question });
      const prompt = isChat ? { messages } : { prompt: question };
      const reply = await answer(model, { maxNewTokens: REPLY_TOKENS, ...options, ...prompt }, terminal);
      messages.push({ role: 'assistant', content: reply });
    }
  } finally {
    terminal.close();
  }
}

function greeting(isChat: boolean): string {
  const kind = isChat ? 'Chat' : 'This model has no chat template: it continues what you type';
  return `${kind}. /new begins anew, /exit leaves, Ctrl-C stops a reply.`;
}

/** Writes the reply as it comes and returns it whole. */
async function answer(model: Model, options: GenerateOptions, terminal: Interface): Promise<string> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  terminal.on('SIGINT', stop);
  try {
    const generation = generate(model, { ...options, signal: controller.signal });
    for await (const chunk of generation) process.stdout.write(chunk.text);
    const { text, stats, finishReason } = await generation;
    printText(`\n${dim(statisticsLine(stats, finishReason))}\n`);
    return text;
  } finally {
    terminal.off('SIGINT', stop);
  }
}
