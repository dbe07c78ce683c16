/** The words that the quickstart's tasks are filled with. Every word is plain ASCII. */

const list = (words: string): readonly string[] => words.trim().split(/\s+/);

export const NAMES = list(`
  Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Karla Leo Maria Nils Olga Paul Rosa Simon Tessa Victor`);

export const CITIES = list(`
  Athens Berlin Cairo Dublin Geneva Hanoi Lima Madrid Nairobi Oslo Paris Quito Rome Seoul Tokyo Vienna Warsaw Zagreb`);

export const MONTHS = list(`
  January February March April May June July August September October November December`);

export const FRUITS = list(`
  apple banana cherry date fig grape kiwi lemon mango orange papaya quince`);

export const QUANTITIES = list(`
  width height price count speed time mass force depth length`);

export const COLUMNS = list(`name city age email phone price weight colour`);

export const TABLES = list(`users orders books pets cars plants teams rooms`);

export const GIFTS = list(`book lamp cake clock scarf plant photo radio chair basket`);

export const SECTIONS = list(`shop blog help news team music games sport`);

export const PAGES = list(`tea coffee maps tools prices shoes films boats`);

export const ADJECTIVES = list(`Green Fresh Cheap Daily Local Quiet Sunny Great`);

/** What a function of two quantities does, in words and in Python. */
export const OPERATIONS: ReadonlyArray<{ word: string; operator: string }> = [
  { word: 'plus', operator: '+' },
  { word: 'minus', operator: '-' },
  { word: 'times', operator: '*' },
  { word: 'over', operator: '/' },
];

export const FUNCTION_NAMES = list(`area total rate share power change result value ratio gain`);

export const COLOURS = list(`red blue green gold white black`);
