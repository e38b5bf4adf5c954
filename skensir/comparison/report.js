// The images of the report: which one is shown, and where. report.py says what a scene's JSON holds.

// matplotlib's inferno and viridis at 17 places, between which colours are interpolated.
const INFERNO = ("000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d "
  + "f98e09 fcac11 f9cb35 f2ea69 fcffa4").split(" ");
const VIRIDIS = ("440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 "
  + "5ec962 84d44b addc30 d8e219 fde725").split(" ");
const IMAGE = 0, ERROR = 1; // kinds of layers; those from 2 on are weights

const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), screen = canvas.getContext("2d");
// Pixels as they are stored, of what is shown and of the truth, and what is shown in its colours.
const [stored, truth, coloured] = [0, 1, 2].map(
  () => document.createElement("canvas").getContext("2d", {willReadFrequently: true}));
const elements = [...document.querySelectorAll("script.scene")];
const rows = () => [...document.querySelectorAll("tr[data-row]")]; // in the order on the screen
const rowOf = (tr) => Number(tr.dataset.row);
const buttonOf = (row) => document.querySelector(`tr[data-row="${row}"] button`);

let scene = null, number = 0; // the scene's
let chosen = {row: 0, kind: IMAGE}, last = chosen, hovered = null;
let view = {scale: 1, x: 0, y: 0, fitted: true}; // screen pixels per pixel; the image's place at the centre
let painted = {}; // what is in the canvases
let pointer = null; // its place on the screen
let ticket = 0; // of the newest update, which overtakes others

// ---- what is shown

const has = (row, kind) => Boolean(scene.layers[row][kind]);

function choose(row, kind) {
  hovered = null;
  if (!has(row, kind)) kind = IMAGE;
  if (!has(row, kind)) return;
  if (row !== chosen.row || kind !== chosen.kind) last = chosen;
  chosen = {row, kind};
  update();
}

function picture(row, kind) {
  const layers = scene.layers[row];
  if (typeof layers[kind] === "string") {
    const image = new Image();
    image.src = "data:image/png;base64," + layers[kind];
    layers[kind] = image;
  }
  return layers[kind];
}

function paint(context, image) {
  context.canvas.width = image.width;
  context.canvas.height = image.height;
  context.drawImage(image, 0, 0);
}

function colour(colours) {
  const table = [...Array(256).keys()].map((value) => {
    const place = value / 255 * 16, start = Math.min(Math.floor(place), 15);
    const [low, high] = colours.slice(start, start + 2).map((hex) => parseInt(hex, 16));
    return [16, 8, 0].map((shift) => {
      const channel = low >> shift & 255;
      return channel + ((high >> shift & 255) - channel) * (place - start);
    });
  });
  const {width, height} = coloured.canvas, pixels = coloured.getImageData(0, 0, width, height);
  for (let i = 0; i < pixels.data.length; i += 4) pixels.data.set(table[pixels.data[i]], i);
  coloured.putImageData(pixels, 0, 0);
}

async function update() {
  const mine = ++ticket, row = hovered ?? chosen.row;
  const kind = has(row, chosen.kind) ? chosen.kind : IMAGE;
  const images = [picture(0, IMAGE), picture(row, kind)];
  await Promise.all(images.map((image) => image.decode()));
  if (mine !== ticket) return;
  if (images[0] !== painted.truth) {
    const {width, height} = truth.canvas;
    paint(truth, images[0]);
    if (width !== images[0].width || height !== images[0].height) view.fitted = true;
  }
  const colours = kind === ERROR ? INFERNO : VIRIDIS;
  paint(stored, images[1]);
  paint(coloured, images[1]);
  if (kind !== IMAGE) colour(colours);
  painted = {truth: images[0], kind};

  for (const tr of rows()) {
    tr.classList.toggle("shown", rowOf(tr) === row);
    tr.classList.toggle("without", !has(rowOf(tr), chosen.kind));
    tr.querySelector("button").setAttribute("aria-pressed", rowOf(tr) === row);
  }
  for (const [id, pressed] of [["kinds", kind], ["scenes", number]]) {
    for (const [i, button] of $(id).querySelectorAll("button").entries()) {
      button.setAttribute("aria-pressed", i === pressed);
      button.classList.toggle("without", id === "kinds" && !has(row, i));
    }
  }
  const error = scene.channels.length > 1 ? "Absolute error, mean over the channels, of " : "Absolute error of ";
  const what = ["", error, ...scene.models.map((model) => `Weight of ${model} in `)][kind];
  const caption = what + buttonOf(row).textContent;
  $("caption").textContent = $("caption").title = caption;
  canvas.setAttribute("aria-label", `Scene ${elements[number].dataset.name}, ${caption}`);
  $("legend").style.visibility = kind === IMAGE ? "hidden" : "visible"; // nothing may move
  $("bar").style.background = `linear-gradient(to right, ${colours.map((hex) => "#" + hex)})`;
  $("end").textContent = kind === ERROR ? `${scene.top} or more, of ${scene.range}` : "1";
  if (view.fitted) fit(); else render();
}

function openScene(next) {
  number = (next + elements.length) % elements.length;
  scene = JSON.parse(elements[number].textContent);
  const kinds = ["Image", "Error", ...scene.models.map((model) => `Weight of ${model}`)];
  fill("kinds", kinds, (kind) => choose(chosen.row, kind));
  $("deep").textContent = scene.range === 255 ? "" : `Values up to ${scene.range} are shown as 8 bits, `
    + "from 0 to 255; errors are in the units of the files.";
  choose(has(chosen.row, IMAGE) ? chosen.row : 0, chosen.kind);
  last = chosen;
}

function fill(id, names, act) {
  const buttons = names.map((name, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = button.title = name;
    button.onclick = () => act(i);
    return button;
  });
  $(id).replaceChildren($(id).firstElementChild, ...buttons);
}

// ---- where it is shown

const origin = () => [
  Math.round(canvas.width / 2 - view.x * view.scale), Math.round(canvas.height / 2 - view.y * view.scale),
];

function render() {
  const {width, height} = coloured.canvas, [left, top] = origin();
  screen.clearRect(0, 0, canvas.width, canvas.height);
  screen.imageSmoothingEnabled = view.scale < 1;
  screen.imageSmoothingQuality = "high";
  screen.drawImage(coloured.canvas, left, top, width * view.scale, height * view.scale);
  $("zoom").textContent = `${Math.round(view.scale * 100)} %`;
  $("value").textContent = pointer ? describe(left, top) : "";
}

function describe(left, top) {
  const x = Math.floor((pointer[0] - left) / view.scale), y = Math.floor((pointer[1] - top) / view.scale);
  if (x < 0 || y < 0 || x >= stored.canvas.width || y >= stored.canvas.height) return "";
  const [here, there] = [stored, truth].map((context) => context.getImageData(x, y, 1, 1).data);
  const values = (data) => scene.channels.map((channel, i) => `${channel} ${data[i]}`).join(" ");
  const digits = Math.max(0, Math.ceil(-Math.log10(scene.top / 255)));
  const error = `${here[0] === 255 ? "≥ " : ""}${(here[0] / 255 * scene.top).toFixed(digits)}`;
  const value = painted.kind === IMAGE ? `${values(here)}, truth ${values(there)}`
    : painted.kind === ERROR ? `error ${error}` : `weight ${(here[0] / 255).toFixed(2)}`;
  return `x ${x}, y ${y}: ${value}`;
}

function fit() {
  const {width, height} = coloured.canvas;
  const scale = Math.min(canvas.width / width, canvas.height / height);
  // Whole multiples show all pixels equally large.
  view = {scale: scale > 1 ? Math.floor(scale) : scale, x: width / 2, y: height / 2, fitted: true};
  render();
}

function zoom(scale, place = [canvas.width / 2, canvas.height / 2]) {
  const [right, down] = [place[0] - canvas.width / 2, place[1] - canvas.height / 2], before = view.scale;
  view.scale = Math.min(Math.max(scale, 1 / 16), 64);
  // The pixel at the place stays there.
  move(right * (view.scale / before - 1), down * (view.scale / before - 1));
}

function move(right, down) {
  const clip = (value, end) => Math.min(Math.max(value, 0), end);
  view.x = clip(view.x + right / view.scale, coloured.canvas.width);
  view.y = clip(view.y + down / view.scale, coloured.canvas.height);
  view.fitted = false;
  render();
}

function placeOf(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top].map((value) => value * devicePixelRatio);
}

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1;
  zoom(view.scale * 2 ** (-event.deltaY * lines / 300), placeOf(event));
}, {passive: false});
canvas.addEventListener("pointerdown", (event) => {
  pointer = placeOf(event);
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  const before = pointer;
  pointer = placeOf(event);
  if (canvas.hasPointerCapture(event.pointerId)) move(before[0] - pointer[0], before[1] - pointer[1]);
  else render();
});
canvas.addEventListener("pointerleave", () => { pointer = null; render(); });
canvas.addEventListener("dblclick", fit);

// ---- keys, names and the table

function next(places, place, by, fits) {
  for (let i = 1; i <= places.length; i++) {
    const other = places.at((places.indexOf(place) + by * i) % places.length);
    if (fits(other)) return other;
  }
}

const step = (by) => choose(next(rows().map(rowOf), chosen.row, by, (row) => has(row, chosen.kind)), chosen.kind);
const turn = (by) => choose(chosen.row, next([...scene.layers[0].keys()], chosen.kind, by, (kind) => has(chosen.row, kind)));

const KEYS = {
  ArrowUp: () => step(-1), ArrowDown: () => step(1), ArrowLeft: () => turn(-1), ArrowRight: () => turn(1),
  b: () => choose(last.row, last.kind), n: () => openScene(number + 1), p: () => openScene(number - 1),
  "+": () => zoom(2 ** (Math.floor(Math.log2(view.scale) + 1e-9) + 1)), // powers of two, and so 100 %
  "-": () => zoom(2 ** (Math.ceil(Math.log2(view.scale) - 1e-9) - 1)),
  f: fit,
};
KEYS["="] = KEYS["+"]; // where + takes Shift
const MOVES = {ArrowUp: [0, -64], ArrowDown: [0, 64], ArrowLeft: [-64, 0], ArrowRight: [64, 0]};

function onKey(event) {
  // In narrow windows the images are below the table: out of sight, they leave the keys to scrolling.
  if ($("stage").getBoundingClientRect().top > innerHeight) return;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.shiftKey && event.key in MOVES) move(...MOVES[event.key]);
  else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key]();
  else if (/^[0-9]$/.test(event.key) && rows()[event.key]) choose(rowOf(rows()[event.key]), chosen.kind);
  else return;
  event.preventDefault();
  const button = buttonOf(chosen.row), summary = $("summary");
  if (document.activeElement.closest("tbody")) button.focus({preventScroll: true});
  if (summary.scrollHeight > summary.clientHeight) button.scrollIntoView({block: "nearest"});
}

function sort(th) {
  const before = th.getAttribute("aria-sort"), column = th.cellIndex;
  const descending = before ? before === "ascending" : th.dataset.best === "largest";
  for (const other of th.parentNode.cells) other.removeAttribute("aria-sort");
  th.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const value = (tr) => column ? Number(tr.cells[column].dataset.value ?? NaN) : rowOf(tr); // as given
  const compare = (a, b) => isNaN(a) - isNaN(b) || (descending ? b - a : a - b) || 0;
  $("results").append(...[...$("results").rows].sort((a, b) => compare(value(a), value(b))));
}

for (const th of document.querySelectorAll("thead th")) th.firstElementChild.onclick = () => sort(th);
if (elements.length) {
  $("viewer").hidden = false;
  let seen = "";
  for (const tr of rows()) {
    tr.addEventListener("click", () => choose(rowOf(tr), chosen.kind));
    tr.addEventListener("pointermove", (event) => {
      const before = seen;
      seen = `${event.clientX} ${event.clientY}`;
      // Rows that move below a pointer at rest do not count.
      if (seen === before || hovered === rowOf(tr) || !has(rowOf(tr), IMAGE)) return;
      hovered = rowOf(tr);
      update();
    });
    tr.addEventListener("pointerleave", () => {
      if (hovered === null) return;
      hovered = null;
      update();
    });
  }
  fill("scenes", elements.map((element) => element.dataset.name), openScene);
  addEventListener("keydown", onKey);
  new ResizeObserver(() => {
    canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (view.fitted) fit(); else render();
  }).observe(canvas);
  openScene(0);
}