"use strict";
const told = JSON.parse(document.getElementById("told").textContent);
const MOST = 20;  // so many classes are shown, the most probable ones if there are more
const REST_MS = 700;  // a screen reader hears the answer when the pen rests
const [STEP, SMALL_STEP] = [1 / 28, 1 / 112];  // of the board, by an arrow key
const WIDER = 1.5;  // the eraser takes the soft edges of a line, too
const part = (id) => document.getElementById(id);
const [page, board, image] = ["page", "board", "image"].map(part);
const pen = board.getContext("2d");
const sheet = document.createElement("canvas");  // the drawing as it is sent
sheet.width = sheet.height = told.side;
const pencil = sheet.getContext("2d", { willReadFrequently: true });

let strokes = [];  // each {width, erases, points: [[x, y]]}, in parts of the board
let current = null;  // the stroke that grows
let cursor = null;  // of the keyboard
let [drawn, answered, asking] = [0, 0, false];  // numbers of the drawing's states
let answer = null;
let resting = 0;

function trace(context, side, ink, paper) {
  context.fillStyle = paper;
  context.fillRect(0, 0, side, side);
  context.lineCap = context.lineJoin = "round";
  for (const { width, erases, points } of strokes) {
    context.strokeStyle = context.fillStyle = erases ? paper : ink;
    context.lineWidth = width * side;
    context.beginPath();
    context.arc(points[0][0] * side, points[0][1] * side, width * side / 2, 0, 2 * Math.PI);
    context.fill();
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x * side, y * side);
    context.stroke();
  }
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

function repaint() {
  trace(pen, board.width, colour("ink"), colour("shade"));
  if (!cursor || document.activeElement !== board) return;
  pen.strokeStyle = colour(current ? "s1" : "s0");
  pen.lineWidth = 2 * devicePixelRatio;
  pen.beginPath();
  pen.arc(cursor[0] * board.width, cursor[1] * board.width, board.width * width() / 2 + pen.lineWidth, 0, 2 * Math.PI);
  pen.stroke();
}

function changed() {
  page.dataset.drawn = ++drawn;
  repaint();
  ask();
}

async function ask() {
  if (asking || answered === drawn) return;  // the newest state is sent after the answer in flight
  asking = true;
  const state = drawn;
  trace(pencil, told.side, "#fff", "#000");
  const bytes = pencil.getImageData(0, 0, told.side, told.side).data.filter((_, i) => i % 4 === 0);
  try {
    show(bytes.some(Boolean) ? await answerTo(bytes) : null);
  } catch (error) {
    fail(error.message);
  }
  asking = false;
  page.dataset.answered = answered = state;
  ask();
}

async function answerTo(body) {
  const headers = { "Content-Type": "application/octet-stream" };
  const reply = await fetch("answer", { method: "POST", headers, body }).catch(() => {
    throw new Error("The server does not answer; start experiments demo again, and load this page anew.");
  });
  if (!reply.ok) throw new Error(await reply.text());
  return reply.json();
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function show(found) {
  answer = found;
  const shares = found ? found.probabilities : told.names.map(() => 0);
  const said = found ? `${told.names[found.label]}, ${percent(shares[found.label])}` : "Draw.";
  part("said").textContent = said;
  part("said").className = "";
  const labels = [...shares.keys()];
  if (labels.length > MOST) labels.sort((a, b) => shares[b] - shares[a]);
  rows.forEach(({ row, name, bar, fill, share }, place) => {
    const label = labels[place];
    name.textContent = told.names[label];
    share.textContent = found ? percent(shares[label]) : "";
    fill.style.transform = `scaleX(${shares[label]})`;
    bar.setAttribute("aria-label", told.names[label]);
    bar.setAttribute("aria-valuenow", (100 * shares[label]).toFixed(1));
    bar.setAttribute("aria-valuetext", percent(shares[label]));
    row.classList.toggle("best", Boolean(found) && label === found.label);
  });
  paintImage();
  clearTimeout(resting);
  if (found) resting = setTimeout(() => announce(said), REST_MS);
}

function fail(reason) {
  show(null);
  part("said").textContent = reason;
  part("said").className = "problem";
  announce(reason);
}

function announce(text) {
  part("status").textContent = text;
}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function paintImage() {
  const context = image.getContext("2d");
  context.clearRect(0, 0, told.width, told.height);
  if (!answer) return;
  const made = context.createImageData(told.width, told.height);
  const seen = bytesOf(answer.image);
  const parts = new Int8Array(bytesOf(answer.attribution).buffer);
  const [speaksFor, against] = ["s0", "s1"].map((name) =>
    [1, 3, 5].map((at) => parseInt(colour(name).trim().slice(at, at + 2), 16)));
  for (let pixel = 0; pixel < told.width * told.height; pixel++) {
    const weight = part("explain").checked ? Math.abs(parts[pixel]) / 127 : 0;
    const tint = parts[pixel] > 0 ? speaksFor : against;
    for (let channel = 0; channel < 3; channel++) {
      const value = seen[pixel * told.channels + (told.channels === 3 ? channel : 0)];
      made.data[4 * pixel + channel] = (1 - weight) * value + weight * tint[channel];
    }
    made.data[4 * pixel + 3] = 255;
  }
  context.putImageData(made, 0, 0);
}

const width = () => Number(part("width").value) / 100;
const erases = () => part("erase").getAttribute("aria-pressed") === "true";

function begin(point) {
  current = { width: width() * (erases() ? WIDER : 1), erases: erases(), points: [point] };
  strokes.push(current);
  changed();
}

function undo() {
  current = null;
  if (strokes.pop()) changed();
}

function clear() {
  current = null;
  if (!strokes.length) return;
  strokes = [];
  changed();
}

function switchEraser() {
  part("erase").setAttribute("aria-pressed", String(!erases()));
  current = null;
  repaint();
}

function place(event) {
  const box = board.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

let pointer = null;
board.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;  // a second finger or the palm
  pointer = event.pointerId;
  board.setPointerCapture(pointer);
  cursor = null;
  begin(place(event));
});
board.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer || !current) return;
  const passed = event.getCoalescedEvents?.() ?? [];
  current.points.push(...(passed.length ? passed : [event]).map(place));
  changed();
});
for (const kind of ["pointerup", "pointercancel"]) board.addEventListener(kind, (event) => {
  if (event.pointerId === pointer) pointer = current = null;
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
board.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || pointer !== null) return;
  const arrow = ARROWS[event.key];
  if (!arrow && event.key !== " ") return;
  event.preventDefault();
  cursor ??= [0.5, 0.5];
  if (arrow) {
    const step = event.shiftKey ? SMALL_STEP : STEP;
    cursor = cursor.map((value, axis) => Math.min(1, Math.max(0, value + step * arrow[axis])));
    if (current) {
      current.points.push(cursor);
      changed();
    }
  } else if (current) {
    current = null;
    announce("Pen up");
  } else {
    begin(cursor);
    announce("Pen down");
  }
  repaint();
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") undo();
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (event.key === "Escape" || event.key === "Delete") clear();
  else if (event.key.toLowerCase() === "e") switchEraser();
  else return;
  event.preventDefault();
});
for (const kind of ["focus", "blur"]) board.addEventListener(kind, repaint);
part("undo").addEventListener("click", undo);
part("clear").addEventListener("click", clear);
part("erase").addEventListener("click", switchEraser);
part("explain").addEventListener("change", paintImage);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { repaint(); paintImage(); });
new ResizeObserver(() => {
  board.width = board.height = Math.round(board.clientWidth * devicePixelRatio);
  repaint();
}).observe(board);

const rows = told.names.slice(0, MOST).map(() => {
  const [row, name, bar, fill, share] = ["div", "span", "div", "i", "span"].map((tag) => document.createElement(tag));
  row.className = "row";
  bar.className = "bar";
  bar.setAttribute("role", "meter");
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  bar.append(fill);
  row.append(name, bar, share);
  part("bars").append(row);
  return { row, name, bar, fill, share };
});
part("bars").classList.toggle("named", told.names.some((name) => name.length > 2));
show(null);
