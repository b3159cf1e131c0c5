// Styles, each fetched once for the page and all its components.

const sheets = new Map(); // by the file's name

/** @param {string} file */
function sheet(file) {
  if (!sheets.has(file)) sheets.set(file, fetched(file));
  return sheets.get(file);
}

/** @param {string} file */
async function fetched(file) {
  const answer = await fetch(new URL(`../styles/${file}`, import.meta.url));
  if (!answer.ok) throw new Error(`${file}: ${answer.status}`);
  return new CSSStyleSheet().replace(await answer.text());
}

/**
 * What a document or a shadow root adopts, the colours first.
 * @param {...string} files
 */
export function sheetsOf(...files) {
  return Promise.all(["colours.css", ...files].map(sheet));
}
