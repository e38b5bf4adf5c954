// The pictures of a scene: its images, their errors and the weights of the models, in pixels.
// layers.py says what a scene's JSON holds.

// matplotlib's inferno and viridis at 17 places, between which colours are interpolated.
const INFERNO = ("000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d "
  + "f98e09 fcac11 f9cb35 f2ea69 fcffa4").split(" ");
const VIRIDIS = ("440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 "
  + "5ec962 84d44b addc30 d8e219 fde725").split(" ");
const IMAGE = 0, ERROR = 1; // kinds of pictures; those from 2 on are weights

let scene = null;
let kept = new Map(); // promises of the scene's pictures that were asked for last

function stored(row, kind) {
  const {image, weights} = scene.layers[row];
  return kind > ERROR ? weights[kind - 2] : image;
}

const has = (row, kind) => Boolean(stored(row, kind)) && (row > 0 || kind !== ERROR);

// Returns a promise of {width, height, data, canvas}: numbers of four bytes a pixel or, of errors,
// one number a pixel; and what is seen of them.
function picture(row, kind) {
  const key = `${row} ${kind}`, promise = kept.get(key) ?? make(row, kind);
  kept.delete(key);
  kept.set(key, promise); // the last one asked for
  promise.then(({width, height}) => {
    const room = Math.max(8, 48e6 / (width * height)); // about 400 MB
    for (const old of kept.keys()) if (kept.size > room) kept.delete(old);
  });
  return promise;
}

async function make(row, kind) {
  // All of the scene is asked for before the first wait: another scene may be open after it.
  const {top, range, channels} = scene;
  if (kind === ERROR) {
    const [image, truth] = await Promise.all([picture(row, IMAGE), picture(0, IMAGE)]);
    const {width, height} = image, data = new Float32Array(width * height);
    const unit = range / 255 / channels.length;
    for (let i = 0; i < data.length; i++) {
      let sum = 0;
      for (let j = 0; j < channels.length; j++) sum += Math.abs(image.data[4 * i + j] - truth.data[4 * i + j]);
      data[i] = sum * unit;
    }
    return {width, height, data, canvas: paint(width, height, (i) => data[i] / top, INFERNO)};
  }
  const {type, data: code, plus} = stored(row, kind);
  const [own, base] = await Promise.all([decode(type, code), plus === undefined ? null : picture(plus, IMAGE)]);
  const {canvas, pixels, pixels: {width, height, data}} = own;
  if (kind !== IMAGE) return {width, height, data, canvas: paint(width, height, (i) => data[4 * i] / 255, VIRIDIS)};
  if (base) {
    for (let i = 0; i < data.length; i += 4) {
      data[i] = data[i] + base.data[i] & 255;
      data[i + 1] = data[i + 1] + base.data[i + 1] & 255;
      data[i + 2] = data[i + 2] + base.data[i + 2] & 255;
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
  }
  return {width, height, data, canvas};
}

async function decode(type, code) {
  const image = new Image();
  image.src = `data:image/${type};base64,${code}`;
  await image.decode();
  const context = blank(image.width, image.height);
  context.drawImage(image, 0, 0);
  return {canvas: context.canvas, pixels: context.getImageData(0, 0, image.width, image.height)};
}

function blank(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  return canvas.getContext("2d", {willReadFrequently: true});
}

function paint(width, height, valueOf, colours) {
  const table = Uint32Array.from({length: 256}, (_, value) => {
    const place = value / 255 * 16, start = Math.min(Math.floor(place), 15);
    const [low, high] = colours.slice(start, start + 2).map((hex) => parseInt(hex, 16));
    const [red, green, blue] = [16, 8, 0].map((shift) => {
      const channel = low >> shift & 255;
      return Math.round(channel + ((high >> shift & 255) - channel) * (place - start));
    });
    return (255 << 24 | blue << 16 | green << 8 | red) >>> 0; // as bytes: red, green, blue, opaque
  });
  const context = blank(width, height), pixels = context.createImageData(width, height);
  const words = new Uint32Array(pixels.data.buffer);
  for (let i = 0; i < words.length; i++) words[i] = table[Math.round(255 * Math.min(valueOf(i), 1))];
  context.putImageData(pixels, 0, 0);
  return context.canvas;
}
