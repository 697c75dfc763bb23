// Find where a text stands on a page, by the words of the page and their boxes.
//
// The text of an element is not the text of the page letter by letter: lines were joined, hyphens removed, columns put
// in order. So letters and digits alone are compared, sentence by sentence, and each is looked for behind the one before.

const SHORTEST = 6; // letters of a piece that may stand anywhere; a shorter one must follow the piece before
const NEAR = 120; // letters between two pieces that belong together

/** Return the boxes of the lines in which a text stands; words are `{text, left, top, width, height}`. */
export function placesOf(text, words) {
  const page = lettersOf(words);
  const found = new Set();
  let from = 0;
  for (const piece of piecesOf(text)) {
    const letters = plain(piece);
    if (!letters) continue;
    let at = page.letters.indexOf(letters, from);
    if (letters.length < SHORTEST && (at < 0 || at > from + NEAR)) continue;
    if (at < 0) at = page.letters.indexOf(letters);
    if (at < 0) continue;
    for (let index = at; index < at + letters.length; index++) found.add(page.words[index]);
    from = at + letters.length;
  }
  return linesOf([...found].sort((a, b) => a - b).map((index) => words[index]));
}

function piecesOf(text) {
  return text.split(/\n+|\|+|(?<=[.!?;:])\s+/);
}

function plain(text) {
  return text.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

/** Return the letters of the page, and for each the number of its word. */
function lettersOf(words) {
  const numbers = [];
  let letters = "";
  words.forEach((word, number) => {
    const added = plain(word.text);
    letters += added;
    for (let index = 0; index < added.length; index++) numbers.push(number);
  });
  return { letters, words: numbers };
}

/** Join the boxes of words that follow each other on one line. */
function linesOf(words) {
  const lines = [];
  for (const word of words) {
    const last = lines.at(-1);
    const right = word.left + word.width;
    const middle = word.top + word.height / 2;
    const follows = last && middle > last.top && middle < last.top + last.height && word.left >= last.left && word.left - (last.left + last.width) < 0.06;
    if (!follows) {
      lines.push({ left: word.left, top: word.top, width: word.width, height: word.height });
      continue;
    }
    const bottom = Math.max(last.top + last.height, word.top + word.height);
    last.top = Math.min(last.top, word.top);
    last.height = bottom - last.top;
    last.width = Math.max(last.left + last.width, right) - last.left;
  }
  return lines;
}
