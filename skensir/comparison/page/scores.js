// The scores of all scenes: a table of scenes by results, which is sorted by any of its columns.

const data = JSON.parse($("data").textContent);
const elements = new Map([...document.querySelectorAll("script.scene")].map((element) => [element.dataset.name, element]));
const results = [...document.querySelectorAll("#results tr")]; // in the order of the table as written
const nameOf = (row) => document.querySelector(`tr[data-row="${row}"] button`).textContent;

let metric = 0, sorting = {column: 0, descending: false}; // column 0 has the scenes' names

function makeElement(tag, text, properties = {}) {
  return Object.assign(document.createElement(tag), {textContent: text, ...properties});
}

const score = (place, row, of = metric) => {
  const number = data.metrics[of].values[place]?.[row - 1] ?? null;
  return number === null ? NaN : Number(number);
};

// What stands in the columns after the name: {head, title, row, of(place)}.
function scoreColumns() {
  const columns = results.map((_, i) => ({head: nameOf(i + 1), row: i + 1, of: (place) => score(place, i + 1)}));
  const {lead, rival} = data;
  if (!lead || !rival) return columns;
  const of = (place) => {
    const [ours, theirs] = [score(place, lead), score(place, rival)];
    return ours === theirs ? 0 : ours - theirs;
  };
  const gain = {head: "Gain", title: `${nameOf(lead)} minus ${nameOf(rival)}`, row: lead, gain: true, of};
  return [gain, ...columns.filter(({row}) => row === lead), ...columns.filter(({row}) => row !== lead)];
}

function numberText(number, digits, signed) {
  if (isNaN(number)) return "–";
  const text = isFinite(number) ? Math.abs(number).toFixed(digits) : "∞";
  return (number < 0 && Number(text) !== 0 ? "−" : signed && number > 0 ? "+" : "") + text;
}

// open(name, row) is called for the images of a scene.
function showScores(open) {
  const {digits, descending} = data.metrics[metric], columns = scoreColumns();
  const heads = [{head: "Scene"}, ...columns].map(({head, title = ""}, i) => {
    const th = makeElement("th", "", {scope: "col", title});
    th.append(makeElement("button", head, {type: "button"}));
    if (sorting.column === i) th.setAttribute("aria-sort", sorting.descending ? "descending" : "ascending");
    th.firstChild.onclick = () => {
      sorting = {column: i, descending: sorting.column === i ? !sorting.descending : i > 0 && descending};
      showScores(open);
      $("scores").tHead.rows[0].cells[i].firstChild.focus();
    };
    return th;
  });
  const places = [...data.scenes.keys()], value = (place) => sorting.column ? columns[sorting.column - 1].of(place) : place;
  places.sort((a, b) => compareNumbers(value(a), value(b), sorting.descending));
  const rows = places.map((place) => {
    const name = data.scenes[place], tr = makeElement("tr", "");
    const th = makeElement("th", elements.has(name) ? "" : name, {scope: "row"});
    th.title = elements.has(name) ? name : `${name}: its images are not in this report`;
    tr.append(th);
    if (elements.has(name)) {
      th.append(makeElement("button", name, {type: "button"}));
      tr.className = "with";
      tr.dataset.name = name;
    }
    const numbers = columns.map(({of}) => of(place)), shown = numbers.map((number) => number.toFixed(digits));
    const rivals = shown.filter((text, i) => !columns[i].gain && columns[i].row !== data.oracle && !isNaN(text));
    const best = Math[descending ? "max" : "min"](...rivals.map(Number));
    for (const [i, {row, gain}] of columns.entries()) {
      const td = makeElement("td", ""), text = numberText(numbers[i], digits, gain);
      td.dataset.result = row;
      const first = !gain && row !== data.oracle && rivals.length > 1 && Number(shown[i]) === best;
      td.append(first ? makeElement("strong", text, {title: "best of the scene"}) : text);
      tr.append(td);
    }
    tr.onclick = ({target}) => {
      if (elements.has(name)) open(name, Number(target.closest("td")?.dataset.result ?? NaN));
    };
    return tr;
  });
  const head = makeElement("tr", "");
  head.append(...heads);
  $("scores").tHead.replaceChildren(head);
  $("scores").tBodies[0].replaceChildren(...rows);
  markScene();
}

// What is no number comes last in both directions.
const compareNumbers = (a, b, descending) => isNaN(a) - isNaN(b) || (a === b ? 0 : descending ? b - a : a - b) || 0;

function choiceText() {
  const [all, here] = [data.scenes.length, elements.size];
  if (here >= all) return "";
  if (!here) return `No images are in this report, only the scores of ${all} scenes.`;
  return `The images of ${here} of the ${all} scenes are in this report, chosen ${data.reason}. `
    + "The other scenes have their scores only.";
}
