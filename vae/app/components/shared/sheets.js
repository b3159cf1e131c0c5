// Pictures of a test set that are only shown: from sheets of many, each fetched once and kept by the browser for good.

import { fitted } from "./paint.js";

/** @type {Map<string, HTMLImageElement>} */
const sheets = new Map();

function sheetAt(address) {
  const image = sheets.get(address) ?? new Image();
  if (!sheets.has(address)) image.src = address;
  sheets.set(address, image);
  return image;
}

/**
 * Paint the picture of an index, once its sheet is there; until then nothing is there, and no other picture. Whether it
 * was painted: not if the sheet cannot be had, or another picture was asked for meanwhile.
 * @param {HTMLCanvasElement} canvas
 * @param {Sheets} from
 * @param {number} index
 * @param {Shape} shape
 */
export async function paintShown(canvas, { path, side }, index, shape) {
  const [, height, width] = shape;
  canvas.dataset.shows = String(index);
  const place = index % side ** 2;
  const address = new URL(`${path}/${(index - place) / side ** 2}.png`, document.baseURI).href;
  const sheet = sheetAt(address);
  fitted(canvas, shape).getContext("2d").clearRect(0, 0, width, height);
  try {
    if (!sheet.complete || !sheet.naturalWidth) await sheet.decode();
  } catch {
    sheets.delete(address); // the server is away: who asks next tries again
    return false;
  }
  if (canvas.dataset.shows !== String(index)) return false;
  const [left, top] = [width * (place % side), height * Math.floor(place / side)];
  canvas.getContext("2d").drawImage(sheet, left, top, width, height, 0, 0, width, height);
  return true;
}
