/**
 * The quickstart's data: instructions of eight kinds whose answers can be read off the prompt, made in code. A small
 * model learns them in minutes, and their answers mix what is fixed (the frame) with what is copied (the facts), as
 * answers in structured formats do.
 */
import { Draws } from './draws';
import {
  ADJECTIVES,
  CITIES,
  COLOURS,
  COLUMNS,
  FRUITS,
  FUNCTION_NAMES,
  GIFTS,
  MONTHS,
  NAMES,
  OPERATIONS,
  PAGES,
  QUANTITIES,
  SECTIONS,
  TABLES,
} from './words';

export const TASK_NAMES = ['json', 'date', 'reverse', 'function', 'sql', 'letter', 'sort', 'link'] as const;
export type TaskName = (typeof TASK_NAMES)[number];

export interface TaskExample {
  task: TaskName;
  prompt: string;
  completion: string;
}

export interface TaskData {
  train: TaskExample[];
  /** Prompts that `train` does not hold, as many of each task as of every other. */
  heldOut: TaskExample[];
}

type PromptAndCompletion = Omit<TaskExample, 'task'>;

const TASKS: Readonly<Record<TaskName, (draws: Draws) => PromptAndCompletion>> = {
  json: (draws) => {
    const name = draws.pick(NAMES);
    const age = draws.between(18, 79);
    const city = draws.pick(CITIES);
    return {
      prompt: `JSON: ${name} is ${age} and lives in ${city}.`,
      completion: `{"name": "${name}", "age": ${age}, "city": "${city}"}`,
    };
  },
  date: (draws) => {
    const day = draws.between(10, 28);
    const month = draws.between(1, 12);
    const year = draws.between(1950, 2029);
    const spoken = `${day} ${MONTHS[month - 1]!} ${year}`;
    return {
      prompt: `ISO date of ${spoken}?`,
      completion: `In ISO form, ${spoken} is ${year}-${twoDigits(month)}-${day}.`,
    };
  },
  reverse: (draws) => {
    const fruits = draws.sample(FRUITS, 4);
    return {
      prompt: `Reverse: ${fruits.join(', ')}`,
      completion: `In reverse order: ${fruits.toReversed().join(', ')}.`,
    };
  },
  function: (draws) => {
    const name = draws.pick(FUNCTION_NAMES);
    const [left, right] = draws.sample(QUANTITIES, 2) as [string, string];
    const { word, operator } = draws.pick(OPERATIONS);
    return {
      prompt: `Python: ${name} is ${left} ${word} ${right}`,
      completion: `def ${name}(${left}, ${right}):\n    return ${left} ${operator} ${right}`,
    };
  },
  sql: (draws) => {
    const [shown, compared] = draws.sample(COLUMNS, 2) as [string, string];
    const table = draws.pick(TABLES);
    const limit = draws.between(10, 99);
    return {
      prompt: `SQL: ${shown} of ${table}, ${compared} above ${limit}`,
      completion: `SELECT ${shown} FROM ${table} WHERE ${compared} > ${limit} ORDER BY ${shown};`,
    };
  },
  letter: (draws) => {
    const [to, from] = draws.sample(NAMES, 2) as [string, string];
    const gift = draws.pick(GIFTS);
    return {
      prompt: `${from} thanks ${to} for the ${gift}`,
      completion: `Dear ${to},\nmany thanks for the ${gift}!\nYours, ${from}`,
    };
  },
  sort: (draws) => {
    const digits = draws.sample(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'], 4);
    return {
      prompt: `Sort ${digits.join(' ')}`,
      completion: `From small to large: ${digits.toSorted().join(', ')}.`,
    };
  },
  link: (draws) => {
    const section = draws.pick(SECTIONS);
    const page = draws.pick(PAGES);
    const title = `${draws.pick(ADJECTIVES)} ${page}`;
    const colour = draws.pick(COLOURS);
    return {
      prompt: `Link ${title} in ${section}, ${colour}`,
      completion: `<a href="/${section}/${page}" class="${colour}">${title}</a>`,
    };
  },
};

/** Draws of one example that may repeat a known prompt before the words are taken to be exhausted. */
const MOST_ATTEMPTS = 100;

/**
 * `train` + `heldOut` examples with prompts that are all different, the tasks taking turns. The same seed gives the
 * same data on every machine.
 */
export function makeTaskData(sizes: { train: number; heldOut: number }, seed: number): TaskData {
  const known = new Set<string>();
  const examples = Array.from({ length: sizes.heldOut + sizes.train }, (_, index): TaskExample => {
    const task = TASK_NAMES[index % TASK_NAMES.length]!;
    const draws = new Draws(seed, index);
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const example = TASKS[task](draws);
      if (known.has(example.prompt)) continue;
      known.add(example.prompt);
      return { task, ...example };
    }
    throw new RangeError(`the words of task '${task}' do not suffice`);
  });
  return { heldOut: examples.slice(0, sizes.heldOut), train: examples.slice(sizes.heldOut) };
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
