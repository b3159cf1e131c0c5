// Pictures of a test set that are only shown: from sheets of many, each fetched once and kept by the browser for good.

/** @type {Map<string, Promise<HTMLImageElement>>} */
const sheets = new Map();

function sheetAt(address) {
  const image = new Image();
  image.src = address;
  const sheet = image.decode().then(() => image);
  sheets.set(address, sheet);
  sheet.catch(() => sheets.delete(address)); // the next one who asks tries again
  return sheet;
}

/**
 * Paint the picture of an index, once its sheet is there, unless another was asked for meanwhile.
 * @param {HTMLCanvasElement} canvas
 * @param {Sheets} from
 * @param {number} index
 * @param {Shape} shape
 */
export async function paintShown(canvas, { path, side }, index, [, height, width]) {
  canvas.dataset.shows = String(index);
  const place = index % side ** 2;
  const address = new URL(`${path}/${(index - place) / side ** 2}.png`, document.baseURI).href;
  let sheet;
  try {
    sheet = await (sheets.get(address) ?? sheetAt(address));
  } catch {
    return; // the server is away: what is said beside the picture still holds
  }
  if (canvas.dataset.shows !== String(index)) return;
  canvas.width = width;
  canvas.height = height;
  const [left, top] = [width * (place % side), height * Math.floor(place / side)];
  canvas.getContext("2d").drawImage(sheet, left, top, width, height, 0, 0, width, height);
}
