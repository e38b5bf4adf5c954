// What is chosen, by keys, names and tables.

const KEYS_OF_ROWS = "0123456789acdeghijklmoqtuwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"; // not those of KEYS
const VIEWS = ["one", "slider", "side"];

const rows = () => [...document.querySelectorAll("tr[data-row]")]; // in the order on the screen
const rowOf = (tr) => Number(tr.dataset.row);
const buttonOf = (row) => document.querySelector(`tr[data-row="${row}"] button`);
const named = [...data.scenes.filter((name) => elements.has(name)), ...[...elements.keys()].filter((name) => !data.scenes.includes(name))];

let name = null; // the scene's
let opposite = data.rival ?? 0; // the row that others are set against
let chosen = {row: data.lead ?? 0, kind: IMAGE}, last = {row: opposite, kind: IMAGE}, hovered = null;
let lastView = "one"; // before the scores
let ticket = 0; // of the newest update, which overtakes others

// ---- what is shown

function choose(row, kind) {
  hovered = null;
  if (!has(row, kind)) kind = IMAGE;
  if (!has(row, kind)) return;
  if (row !== chosen.row || kind !== chosen.kind) last = chosen;
  chosen = {row, kind};
  update();
}

const asFar = (row) => ({row, kind: has(row, chosen.kind) ? chosen.kind : IMAGE});

async function update() {
  if (mode === "scores") return;
  const mine = ++ticket, wanted = [asFar(hovered ?? chosen.row)];
  if (mode !== "one") wanted.push(asFar(has(opposite, IMAGE) ? opposite : 0));
  const [truth, ...pictures] = await Promise.all([
    picture(0, IMAGE), ...wanted.map(({row, kind}) => picture(row, kind)),
  ]);
  if (mine !== ticket) return;
  const before = shown;
  shown = wanted.map((what, i) => ({...what, picture: pictures[i], truth}));
  const [size, old] = [shown, before].map((list) => list.length && `${list[0].truth.width} ${list[0].truth.height}`);
  if (size !== old) view.fitted = true;
  tell();
  if (view.fitted) fit(); else render();
}

function tell() {
  const [{row, kind}, other] = shown;
  for (const tr of rows()) {
    tr.classList.toggle("shown", rowOf(tr) === row);
    tr.classList.toggle("opposite", rowOf(tr) === other?.row);
    tr.classList.toggle("without", !has(rowOf(tr), chosen.kind));
    tr.querySelector("button").setAttribute("aria-pressed", rowOf(tr) === row);
  }
  press("kinds", kind);
  press("scenes", named.indexOf(name));
  for (const [i, button] of $("kinds").querySelectorAll("button").entries()) button.classList.toggle("without", !has(row, i));
  const captions = shown.map(caption);
  for (const [i, suffix] of ["", "-opposite"].entries()) {
    $(`caption${suffix}`).textContent = $(`caption${suffix}`).title = captions[i] ?? "";
    $(`figures${suffix}`).textContent = shown[i]?.kind <= ERROR ? figures(shown[i].row).slice(0, other ? 1 : undefined).join(", ") : "";
  }
  canvas.setAttribute("aria-label", `Scene ${name}, ${captions.join(" against ")}`);
  divider.hidden = mode !== "slider";
  divider.setAttribute("aria-valuetext", `${captions[0]} to the left, ${captions[1]} to the right`);
  $("opposite").value = opposite;
  const coloured = shown.find((what) => what.kind !== IMAGE)?.kind ?? IMAGE;
  $("legend").style.visibility = coloured === IMAGE ? "hidden" : "visible"; // nothing may move
  $("bar").style.background = `linear-gradient(to right, ${(coloured === ERROR ? INFERNO : VIRIDIS).map((hex) => "#" + hex)})`;
  const mean = scene.channels.length > 1 ? ", mean over the channels" : "";
  $("end").textContent = coloured === ERROR ? `${scene.top} or more, of ${scene.range}${mean}` : "1";
}

function caption({row, kind}) {
  return ["", "Error of ", ...scene.models.map((model) => `Weight of ${model} in `)][kind] + nameOf(row);
}

function figures(row) {
  const place = data.scenes.indexOf(name);
  const texts = data.metrics.map(({head, digits}, i) => {
    const number = row ? score(place, row, i) : NaN, [, words, unit = ""] = head.match(/^(.*?)(?: \((.*)\))?$/);
    return isNaN(number) ? "" : `${words} ${numberText(number, digits)} ${unit}`.trim();
  });
  return texts.filter(Boolean);
}

function press(id, number) {
  for (const [i, button] of $(id).querySelectorAll("button").entries()) button.setAttribute("aria-pressed", i === number);
}

function openScene(next) {
  const before = name;
  name = next;
  if (name !== before) {
    scene = JSON.parse(elements.get(name).textContent);
    kept = new Map();
    fill("kinds", ["Image", "Error", ...scene.models], (kind) => choose(chosen.row, kind));
    const weights = [...$("kinds").querySelectorAll("button")].slice(ERROR + 1);
    weights[0]?.before(makeElement("span", "weight of"));
    for (const button of weights) button.setAttribute("aria-label", `Weight of ${button.textContent}`);
    $("deep").textContent = scene.range === 255 ? "" : `Values up to ${scene.range} are shown as 8 bits, `
      + "from 0 to 255; errors are those of what is shown, in the units of the files.";
  }
  const row = has(chosen.row, IMAGE) ? chosen.row : 0;
  chosen = {row, kind: has(row, chosen.kind) ? chosen.kind : IMAGE};
  hovered = null;
  update();
}

const turnScene = (by) => openScene(named.at((named.indexOf(name) + by) % named.length));

function setView(next) {
  mode = next;
  $("viewer").dataset.view = mode;
  for (const button of document.querySelectorAll("button[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === mode);
  if (mode === "scores") {
    markScene();
    for (const tr of rows()) tr.classList.remove("opposite", "without");
    return;
  }
  lastView = mode;
  if (name === null) openScene(elements.keys().next().value); else update();
}

function markScene() {
  for (const tr of $("scores").tBodies[0].rows) tr.classList.toggle("shown", tr.dataset.name === name);
}

function setOpposite(row) {
  opposite = row;
  if (mode === "one") setView("slider"); else update();
}

function fill(id, names, act) {
  const buttons = names.map((text, i) => makeElement("button", text, {type: "button", title: text, onclick: () => act(i)}));
  $(id).replaceChildren($(id).firstElementChild, ...buttons);
}

// ---- keys and the table of means

function next(places, place, by, fits) {
  for (let i = 1; i <= places.length; i++) {
    const other = places.at((places.indexOf(place) + by * i) % places.length);
    if (fits(other)) return other;
  }
}

const step = (by) => choose(next(rows().map(rowOf), chosen.row, by, (row) => has(row, chosen.kind)), chosen.kind);
const turn = (by) => choose(chosen.row, next([...Array(2 + scene.models.length).keys()], chosen.kind, by, (kind) => has(chosen.row, kind)));

const KEYS = {
  ArrowUp: () => step(-1), ArrowDown: () => step(1), ArrowLeft: () => turn(-1), ArrowRight: () => turn(1),
  b: () => choose(last.row, last.kind), n: () => turnScene(1), p: () => turnScene(-1),
  v: () => setView(VIEWS[(VIEWS.indexOf(mode) + 1) % VIEWS.length]), r: () => setOpposite(chosen.row),
  s: () => setView("scores"), "+": zoomIn, "-": zoomOut, f: fit,
};
KEYS["="] = KEYS["+"]; // where + takes Shift
const MOVES = {ArrowUp: [0, -64], ArrowDown: [0, 64], ArrowLeft: [-64, 0], ArrowRight: [64, 0]};

function onKey(event) {
  // In narrow windows the images are below the table: out of sight, they leave the keys to scrolling.
  if ($("viewer").getBoundingClientRect().top > innerHeight) return;
  if (event.ctrlKey || event.altKey || event.metaKey || event.target === $("opposite")) return;
  if (mode === "scores") {
    if (event.key !== "s" && event.key !== "v") return; // arrows scroll
    if (named.length) setView(lastView);
    return;
  }
  const tr = event.key.length === 1 && rows()[KEYS_OF_ROWS.indexOf(event.key)];
  if (event.shiftKey && event.key in MOVES) move(...MOVES[event.key]);
  else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key]();
  else if (tr) choose(rowOf(tr), chosen.kind);
  else return;
  event.preventDefault();
  const button = buttonOf(chosen.row), summary = $("summary");
  if (document.activeElement.closest("#means tbody")) button.focus({preventScroll: true});
  if (summary.scrollHeight > summary.clientHeight) button.scrollIntoView({block: "nearest"});
}

function sort(th) {
  const before = th.getAttribute("aria-sort"), column = th.cellIndex;
  const descending = (before ?? th.dataset.first) === (before ? "ascending" : "descending");
  for (const other of th.parentNode.cells) other.removeAttribute("aria-sort");
  th.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const value = (tr) => column ? Number(tr.cells[column].dataset.value ?? NaN) : rowOf(tr); // as given
  $("results").append(...[...$("results").rows].sort((a, b) => compareNumbers(value(a), value(b), descending)));
  number();
}

function number() {
  for (const [i, tr] of rows().entries()) tr.querySelector("button").dataset.key = KEYS_OF_ROWS[i] ?? "";
}

// ---- the page opens

for (const th of document.querySelectorAll("#means thead th")) th.firstElementChild.onclick = () => sort(th);
for (const button of document.querySelectorAll("button[data-view]")) {
  button.onclick = () => setView(button.dataset.view);
  button.hidden = button.dataset.view === "scores" ? !data.metrics.length : !elements.size;
}
if (data.metrics.length) {
  const showMetric = (i) => {
    metric = i;
    press("metrics", i);
    showScores((scene, row) => {
      if (!isNaN(row)) chosen = {row, kind: chosen.kind};
      setView(lastView);
      openScene(scene);
    });
  };
  fill("metrics", data.metrics.map(({head}) => head), showMetric);
  showMetric(0);
}
$("chosen").textContent = choiceText();
if (elements.size) {
  let seen = "";
  for (const tr of rows()) {
    tr.addEventListener("click", () => { if (mode === "scores") setView(lastView); choose(rowOf(tr), chosen.kind); });
    tr.addEventListener("pointermove", (event) => {
      const before = seen;
      seen = `${event.clientX} ${event.clientY}`;
      // Rows that move below a pointer at rest do not count.
      if (seen === before || hovered === rowOf(tr) || mode === "scores" || !has(rowOf(tr), IMAGE)) return;
      hovered = rowOf(tr);
      update();
    });
    tr.addEventListener("pointerleave", () => {
      if (hovered === null) return;
      hovered = null;
      update();
    });
  }
  number();
  fill("scenes", named, (i) => openScene(named[i]));
  $("opposite").append(...rows().map((tr) => makeElement("option", nameOf(rowOf(tr)), {value: tr.dataset.row})));
  $("opposite").value = opposite;
  $("opposite").onchange = () => setOpposite(Number($("opposite").value));
  addEventListener("keydown", onKey);
  new ResizeObserver(() => {
    canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (shown.length && mode !== "scores" && view.fitted) fit(); else render();
  }).observe(canvas);
}
if (elements.size || data.metrics.length) {
  $("viewer").hidden = false;
  setView(elements.size ? "one" : "scores");
}
