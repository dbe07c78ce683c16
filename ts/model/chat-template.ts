/** Chat templates: where a folder keeps its own, and how it turns a conversation into text. */
import { MakeSomeNoiseError } from '../errors';
import { chatTemplateFile, fileOrNothing, isObject, readJsonObject, readText } from './folder';

/** One turn of a conversation; a template may read further fields. */
export interface ChatMessage {
  /** 'system', 'user' or 'assistant', as the model's template has it. */
  role: string;
  content: string;
}

/** A template ready to render. */
export class ChatTemplate {
  private constructor(
    private readonly template: { render(variables: Record<string, unknown>): string },
    private readonly origin: string,
    private readonly specialTexts: Readonly<Record<string, string>>,
  ) {}

  /**
   * @param origin the file that the template comes from, for messages
   * @param specialTexts texts that templates name: bos_token, eos_token and so on
   * @throws MakeSomeNoiseError ERR_MODEL_FORMAT when it is not a template
   */
  static async compile(
    source: string,
    origin: string,
    specialTexts: Readonly<Record<string, string>>,
  ): Promise<ChatTemplate> {
    const { Template } = await import('@huggingface/jinja');
    try {
      return new ChatTemplate(new Template(source), origin, specialTexts);
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new MakeSomeNoiseError('ERR_MODEL_FORMAT', `${origin}: the chat template is broken (${reason})`, {
        cause,
      });
    }
  }

  /** @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT when the template refuses the messages */
  render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
    try {
      return this.template.render({
        ...this.specialTexts,
        messages,
        add_generation_prompt: addGenerationPrompt,
        tools: null,
        documents: null,
      });
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new MakeSomeNoiseError(
        'ERR_INVALID_ARGUMENT',
        `messages: the chat template of ${this.origin} refuses them: ${reason}`,
        { cause },
      );
    }
  }
}

/** The text of a folder's chat template and the file it stands in, undefined where it has none. */
export async function findChatTemplate(
  folder: string,
  tokenizerConfig: { path: string; json: Readonly<Record<string, unknown>> } | undefined,
): Promise<{ source: string; origin: string } | undefined> {
  // As in transformers, a file of its own goes before the field.
  const file = await fileOrNothing(folder, chatTemplateFile);
  if (file !== undefined) return { source: await readText(file), origin: file };
  const jsonFile = await fileOrNothing(folder, 'chat_template.json');
  const places = [
    ...(jsonFile === undefined ? [] : [{ path: jsonFile, json: await readJsonObject(jsonFile) }]),
    ...(tokenizerConfig === undefined ? [] : [tokenizerConfig]),
  ];
  for (const { path, json } of places) {
    const value = json.chat_template ?? undefined;
    if (value === undefined) continue;
    const source = typeof value === 'string' ? value : defaultOfList(value);
    if (source !== undefined) return { source, origin: path };
    throw new MakeSomeNoiseError(
      'ERR_MODEL_FORMAT',
      `${path}: chat_template: expected a string or a list with a template named "default"`,
    );
  }
  return undefined;
}

/** Of several templates, `[{ name, template }]`, the one named "default". */
function defaultOfList(value: unknown): string | undefined {
  if (!Array.isArray(value)) return undefined;
  const named: unknown = value.find((item) => isObject(item) && item.name === 'default');
  return isObject(named) && typeof named.template === 'string' ? named.template : undefined;
}
