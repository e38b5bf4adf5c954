// Where the pictures are shown: one, or two with a line between them or side by side, in one canvas.

const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), screen = canvas.getContext("2d"), divider = $("divider");
const GAP = 4; // between pictures side by side

let mode = "one"; // "one", "slider", "side", or "scores" without any picture
let shown = []; // {picture, row, kind} of one or two
let view = {scale: 1, x: 0, y: 0, fitted: true}; // screen pixels per pixel; the image's place at the centre
let split = 0.5; // where the dividing line is
let pointer = null; // its place on the screen

// A pane has its centre where its picture's is, and shows what lies between its ends.
function panes() {
  const {width} = canvas;
  if (mode === "one" || shown.length < 2) return [{...shown[0], centre: width / 2, start: 0, end: width}];
  if (mode === "slider") {
    const line = Math.round(width * split);
    return [[0, line], [line, width]].map(([start, end], i) => ({...shown[i], centre: width / 2, start, end}));
  }
  const half = Math.floor((width - GAP) / 2);
  return [0, width - half].map((start, i) => ({...shown[i], centre: start + half / 2, start, end: start + half}));
}

const corner = ({centre}) => [
  Math.round(centre - view.x * view.scale), Math.round(canvas.height / 2 - view.y * view.scale),
];

const paneAt = (x) => panes().find(({start, end}) => x >= start && x < end) ?? panes()[0];

function render() {
  if (!shown.length || mode === "scores") return;
  screen.clearRect(0, 0, canvas.width, canvas.height);
  screen.imageSmoothingEnabled = view.scale < 1;
  screen.imageSmoothingQuality = "high";
  for (const pane of panes()) {
    const {start, end, picture} = pane, [left, top] = corner(pane);
    screen.save();
    screen.beginPath();
    screen.rect(start, 0, end - start, canvas.height);
    screen.clip();
    screen.drawImage(picture.canvas, left, top, picture.width * view.scale, picture.height * view.scale);
    screen.restore();
  }
  divider.style.left = `${100 * split}%`;
  divider.setAttribute("aria-valuenow", Math.round(100 * split));
  $("zoom").textContent = `${Math.round(view.scale * 100)} %`;
  $("value").textContent = pointer ? describe(paneAt(pointer[0])) : "";
}

function describe(pane) {
  const {picture: {width, height, data}, kind, truth} = pane, [left, top] = corner(pane);
  const x = Math.floor((pointer[0] - left) / view.scale), y = Math.floor((pointer[1] - top) / view.scale);
  if (x < 0 || y < 0 || x >= width || y >= height) return "";
  const i = y * width + x;
  const values = (bytes) => scene.channels.map((channel, j) => `${channel} ${bytes[4 * i + j]}`).join(" ");
  const digits = Math.max(0, Math.ceil(-Math.log10(scene.range / 255 / scene.channels.length)));
  const value = kind === IMAGE ? `${values(data)}, truth ${values(truth.data)}`
    : kind === ERROR ? `error ${data[i].toFixed(digits)}` : `weight ${(data[4 * i] / 255).toFixed(2)}`;
  return `x ${x}, y ${y}: ${value}`;
}

function fit() {
  const [{picture: {width, height}, start, end}] = panes();
  const room = mode === "slider" ? canvas.width : end - start;
  view = {scale: Math.min(room / width, canvas.height / height), x: width / 2, y: height / 2, fitted: true};
  render();
}

function zoom(scale, place) {
  const right = place ? place[0] - paneAt(place[0]).centre : 0, down = place ? place[1] - canvas.height / 2 : 0;
  const before = view.scale;
  view.scale = Math.min(Math.max(scale, 1 / 16), Math.max(64, before));
  // The pixel at the place stays there.
  move(right * (view.scale / before - 1), down * (view.scale / before - 1));
}

// Powers of two, and so 100 %.
const zoomIn = () => zoom(2 ** (Math.floor(Math.log2(view.scale) + 1e-9) + 1));
const zoomOut = () => zoom(2 ** (Math.ceil(Math.log2(view.scale) - 1e-9) - 1));

function move(right, down) {
  const clip = (value, end) => Math.min(Math.max(value, 0), end);
  view.x = clip(view.x + right / view.scale, shown[0].picture.width);
  view.y = clip(view.y + down / view.scale, shown[0].picture.height);
  view.fitted = false;
  render();
}

function placeOf(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top].map((value) => value * devicePixelRatio);
}

function divide(place) {
  split = Math.min(Math.max(place, 0), 1);
  render();
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

divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
divider.addEventListener("pointermove", (event) => {
  if (divider.hasPointerCapture(event.pointerId)) divide(placeOf(event)[0] / canvas.width);
});
divider.addEventListener("keydown", (event) => {
  const places = {
    ArrowLeft: split - 0.02, ArrowDown: split - 0.02, ArrowRight: split + 0.02, ArrowUp: split + 0.02,
    PageDown: split - 0.1, PageUp: split + 0.1, Home: 0, End: 1,
  };
  if (event.shiftKey || !Object.hasOwn(places, event.key)) return;
  divide(places[event.key]);
  event.preventDefault();
  event.stopPropagation();
});
