import { makeTaskData, TASK_NAMES, type TaskExample, type TaskName } from '../../ts/quickstart/tasks';
import { MONTHS } from '../../ts/quickstart/words';

const data = makeTaskData({ train: 800, heldOut: 80 }, 0);
const everything = [...data.train, ...data.heldOut];

const two = (value: string | number): string => String(value).padStart(2, '0');

/** What a reader who sees nothing but the prompt would answer. */
const readers: Record<TaskName, { prompt: RegExp; answer: (parts: string[]) => string }> = {
  json: {
    prompt: /^JSON: (\w+) is (\d+) and lives in (\w+)\.$/,
    answer: ([name, age, city]) => `{"name": "${name}", "age": ${age}, "city": "${city}"}`,
  },
  date: {
    prompt: /^ISO date of ((\d+) (\w+) (\d+))\?$/,
    answer: ([spoken, day, month, year]) =>
      `In ISO form, ${spoken} is ${year}-${two(MONTHS.indexOf(month!) + 1)}-${day}.`,
  },
  reverse: {
    prompt: /^Reverse: (\w+), (\w+), (\w+), (\w+)$/,
    answer: ([first, second, third, fourth]) => `In reverse order: ${fourth}, ${third}, ${second}, ${first}.`,
  },
  function: {
    prompt: /^Python: (\w+) is (\w+) (plus|minus|times|over) (\w+)$/,
    answer: ([name, left, word, right]) => {
      const operator = { plus: '+', minus: '-', times: '*', over: '/' }[word!]!;
      return `def ${name}(${left}, ${right}):\n    return ${left} ${operator} ${right}`;
    },
  },
  sql: {
    prompt: /^SQL: (\w+) of (\w+), (\w+) above (\d+)$/,
    answer: ([shown, table, compared, limit]) =>
      `SELECT ${shown} FROM ${table} WHERE ${compared} > ${limit} ORDER BY ${shown};`,
  },
  letter: {
    prompt: /^(\w+) thanks (\w+) for the (\w+)$/,
    answer: ([from, to, gift]) => `Dear ${to},\nmany thanks for the ${gift}!\nYours, ${from}`,
  },
  sort: {
    prompt: /^Sort (\d) (\d) (\d) (\d)$/,
    answer: (digits) =>
      `From small to large: ${digits
        .map(Number)
        .sort((a, b) => a - b)
        .join(', ')}.`,
  },
  link: {
    prompt: /^Link ((\w+) (\w+)) in (\w+), (\w+)$/,
    answer: ([title, , page, section, colour]) =>
      `<a href="/${section}/${page}" class="${colour}">${title}</a>`,
  },
};

test.each(TASK_NAMES)('the answers of %s can be read off their prompts', (task) => {
  const examples = everything.filter((example) => example.task === task);
  expect(examples).toHaveLength(110);
  for (const { prompt, completion } of examples) {
    const parts = readers[task].prompt.exec(prompt)?.slice(1);
    expect({ prompt, completion: parts && readers[task].answer(parts) }).toEqual({ prompt, completion });
  }
});

test('a seed gives the same examples whatever the sizes before them, another seed gives others', () => {
  expect(makeTaskData({ train: 800, heldOut: 80 }, 0)).toEqual(data);
  expect(makeTaskData({ train: 8, heldOut: 80 }, 0).train).toEqual(data.train.slice(0, 8));
  expect(makeTaskData({ train: 800, heldOut: 80 }, 1).train).not.toEqual(data.train);
});

test('no prompt occurs twice, so what is held out was never seen', () => {
  const full = makeTaskData({ train: 8000, heldOut: 400 }, 0);
  const prompts = [...full.train, ...full.heldOut].map((example) => example.prompt);
  expect(new Set(prompts).size).toBe(8400);
});

test('every text is printable ASCII or a newline, one token a character', () => {
  const texts = everything.flatMap(({ prompt, completion }: TaskExample) => [prompt, completion]);
  expect(texts.filter((text) => !/^[\n\x20-\x7e]+$/.test(text))).toEqual([]);
});

test('more prompts than the words allow are refused', () => {
  expect(() => makeTaskData({ train: 30_000, heldOut: 0 }, 0)).toThrow(/do not suffice/);
});
