/** Packs documents into rows of at most sequenceLength tokens; attention never crosses a document's border. */

/** Rows that are filled at the same time: enough to lose little, few enough to keep documents near their place. */
const OPEN_ROWS = 64;

interface OpenRow {
  documents: number[];
  /** Tokens still free. */
  space: number;
}

/**
 * Deals `order` (document numbers) to rows: each document goes to the fullest of the open rows that still has room
 * for it, the earlier one on a tie, else to a new row; with 64 open rows the fullest is closed first. Rows stand in
 * the order in which they were opened. A function of its arguments alone.
 */
export function packDocuments(
  order: Int32Array,
  lengthOf: (document: number) => number,
  sequenceLength: number,
): number[][] {
  const rows: OpenRow[] = [];
  const open: OpenRow[] = [];
  for (const document of order) {
    const length = lengthOf(document);
    let row = fullest(open, length);
    if (row === undefined) {
      if (open.length === OPEN_ROWS) open.splice(open.indexOf(fullest(open, 0)!), 1);
      row = { documents: [], space: sequenceLength };
      open.push(row);
      rows.push(row);
    }
    row.documents.push(document);
    row.space -= length;
  }
  return rows.map(({ documents }) => documents);
}

function fullest(open: readonly OpenRow[], length: number): OpenRow | undefined {
  let best: OpenRow | undefined;
  for (const row of open) {
    if (row.space >= length && (best === undefined || row.space < best.space)) best = row;
  }
  return best;
}
