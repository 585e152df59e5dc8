// Draws a pipe: a lane for each group, nodes in layers from the entry to the end of the run. Knows no server.

const NODE = { w: 142, h: 48 }, PILL = { w: 84, h: 28 }, DUMMY = 14, GAP_X = 36, GAP_Y = 14, PAD = 15, HEAD = 128;
const LEAST = 0.86; // of its size; where there is less room it scrolls
const SVG = "http://www.w3.org/2000/svg";
const KINDS = { join: "join", gather: "gather", fan_out: "fan-out", switch: "switch" };

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function short(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

// Lines that close a loop, found by a walk from the entry: they are drawn backwards and count for no layer.
function backLines(items, out) {
  const back = new Set(), state = new Map();
  const visit = (id) => {
    state.set(id, 1);
    for (const line of out.get(id) ?? []) {
      if (state.get(line.to) === 1) back.add(line);
      else if (!state.has(line.to)) visit(line.to);
    }
    state.set(id, 2);
  };
  for (const id of items.keys()) if (!state.has(id)) visit(id);
  return back;
}

function layered(drawing) {
  const items = new Map([["entry:", { id: "entry:", kind: "pill", text: drawing.entry_type }]]);
  for (const node of drawing.nodes) items.set(node.name, { id: node.name, kind: "node", node, group: node.group });
  const lines = drawing.lines.map((line) => ({ ...line, from: line.source || "entry:", to: line.target || "end:" }));
  if (lines.some((line) => line.to === "end:")) items.set("end:", { id: "end:", kind: "pill", text: "end of run" });
  const out = new Map();
  for (const line of lines) out.set(line.from, [...(out.get(line.from) ?? []), line]);
  const back = backLines(items, out);
  for (const item of items.values()) item.layer = 0;
  const forward = lines.filter((line) => !back.has(line));
  for (let round = 0, moved = true; moved && round <= items.size; round++) {
    moved = false;
    for (const line of forward) {
      const from = items.get(line.from), to = items.get(line.to);
      if (to.layer < from.layer + 1) { to.layer = from.layer + 1; moved = true; }
    }
  }
  for (const item of items.values()) if (item.kind === "node" && item.layer === 0) item.layer = 1;
  const last = Math.max(...[...items.values()].map((item) => item.layer));
  if (items.has("end:")) items.get("end:").layer = last;
  return { items, forward, back: [...back], layers: last + 1 };
}

// Gives each line that skips layers a place in each of them, so that it passes between nodes and not behind them.
function routed({ items, forward }, laneOf) {
  return forward.map((line) => {
    const from = items.get(line.from), to = items.get(line.to), way = [from];
    for (let layer = from.layer + 1; layer < to.layer; layer++) {
      way.push({ kind: "dummy", layer, lane: laneOf(layer - from.layer <= to.layer - layer ? from : to), id: `${line.from}>${line.to}` });
    }
    way.push(to);
    return { line, way };
  });
}

function laid(drawing) {
  const plan = layered(drawing), { items, layers } = plan;
  const lanes = Object.keys(drawing.groups), first = (group) => Math.min(...drawing.groups[group].map((name) => items.get(name).layer));
  lanes.sort((a, b) => first(a) - first(b));
  const near = (id, pick) => plan.forward.filter((line) => line[pick] === id).map((line) => items.get(line[pick === "from" ? "to" : "from"])).find((item) => item.group);
  const laneOf = (item) => item.lane ?? 0;
  for (const item of items.values()) if (item.group) item.lane = lanes.indexOf(item.group);
  for (const [id, pick] of [["entry:", "from"], ["end:", "to"]]) if (items.has(id)) items.get(id).lane = near(id, pick)?.lane ?? 0;
  const routes = routed(plan, laneOf);
  const cells = lanes.map(() => Array.from({ length: layers }, () => []));
  for (const item of items.values()) cells[item.lane][item.layer].push(item);
  for (const { way } of routes) for (const step of way) if (step.kind === "dummy") cells[step.lane][step.layer].push(step);
  const height = (item) => item.kind === "node" ? NODE.h : item.kind === "pill" ? PILL.h : DUMMY;
  const before = new Map();
  for (const { way } of routes) for (let at = 1; at < way.length; at++) before.set(way[at], [...(before.get(way[at]) ?? []), way[at - 1]]);
  let top = 0;
  const bands = lanes.map((group, lane) => {
    const tall = Math.max(NODE.h + 18, ...cells[lane].map((cell) => cell.reduce((sum, item) => sum + height(item) + GAP_Y, -GAP_Y)));
    const band = { group, top, height: tall + 2 * PAD };
    top += band.height;
    return band;
  });
  const wide = Array.from({ length: layers }, (_, layer) => [...items.values()].some((item) => item.layer === layer && item.kind === "node") ? NODE.w : PILL.w);
  const middles = wide.map((width, layer) => HEAD + wide.slice(0, layer).reduce((sum, one) => sum + one + GAP_X, 0) + width / 2);
  for (let layer = 0; layer < layers; layer++) {
    bands.forEach((band, lane) => {
      const cell = cells[lane][layer];
      const weight = (item) => { const y = (before.get(item) ?? []).map((one) => one.y ?? 0); return y.length ? y.reduce((a, b) => a + b) / y.length : band.top + band.height / 2; };
      cell.map((item) => [weight(item), item]).sort((a, b) => a[0] - b[0]).forEach(([, item], at) => { cell[at] = item; });
      const full = cell.reduce((sum, item) => sum + height(item) + GAP_Y, -GAP_Y);
      let y = band.top + (band.height - full) / 2;
      for (const item of cell) { item.x = middles[layer]; item.y = y + height(item) / 2; y += height(item) + GAP_Y; }
    });
  }
  return { ...plan, routes, bands, lanes, width: middles.at(-1) + wide.at(-1) / 2 + 22, height: top };
}

function half(item) { return item.kind === "node" ? NODE.w / 2 : item.kind === "pill" ? PILL.w / 2 : NODE.w / 2; }

function path(way) {
  let d = `M${way[0].x + half(way[0])} ${way[0].y}`;
  for (let at = 1; at < way.length; at++) {
    const [from, to] = [way[at - 1], way[at]], x0 = from.x + half(from), x1 = to.x - half(to) - (at === way.length - 1 ? 5 : 0), mid = (x0 + x1) / 2;
    d += `C${mid} ${from.y} ${mid} ${to.y} ${x1} ${to.y}`;
    if (to.kind === "dummy") d += `H${to.x + half(to)}`;
  }
  return d;
}

function backPath(from, to) {
  if (from === to) return `M${from.x - 22} ${from.y - NODE.h / 2}c-6 -20 50 -20 44 -1`;
  const y = Math.max(from.y, to.y) + NODE.h / 2 + 13;
  return `M${from.x} ${from.y + NODE.h / 2}C${from.x} ${y + 6} ${to.x} ${y + 6} ${to.x} ${to.y + NODE.h / 2 + 5}`;
}

// Draws a pipe into a place once; what it gives takes the newest numbers. `choose` is told of the node that is looked at.
export function graph(place, drawing, choose) {
  const plan = laid(drawing), { items, bands, width, height } = plan;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Graph of pipe ${drawing.pipe}: ${drawing.nodes.length} nodes in ${bands.length} groups. Arrow keys go from node to node.` });
  const head = svg("marker", { id: "head", viewBox: "0 0 8 8", refX: 3, refY: 4, markerWidth: 6.500, markerHeight: 6.500, orient: "auto-start-reverse", markerUnits: "userSpaceOnUse" }, svg("path", { d: "M0 0.500L7.500 4L0 7.500z", class: "arrowhead" }));
  root.append(svg("defs", {}, head));
  const facts = new Map();
  bands.forEach((band, at) => {
    root.append(svg("rect", { class: `lane-band${at % 2 ? " odd" : ""}`, x: 0, y: band.top, width, height: band.height }));
    const name = svg("text", { class: "lane-name", x: 18, y: band.top + 24 }, short(band.group, 15)), one = svg("text", { class: "lane-fact", x: 18, y: band.top + 42 }), two = svg("text", { class: "lane-fact", x: 18, y: band.top + 58 });
    name.append(svg("title", {}, band.group));
    const three = svg("text", { class: "lane-fact bad", x: 18, y: band.top + 74 });
    facts.set(band.group, [one, two, three]);
    root.append(name, one, two, three);
  });
  const edges = [];
  const draw = (line, d) => {
    const edge = svg("path", { d, class: `edge${line.crosses ? " crosses" : ""}`, "marker-end": "url(#head)" }, svg("title", {}, line.types.join(", ")));
    edges.push([line, edge]);
    root.append(edge);
  };
  for (const { line, way } of plan.routes) draw(line, path(way));
  for (const line of plan.back) draw(line, backPath(items.get(line.from), items.get(line.to)));
  const boxes = new Map();
  const light = (name) => {
    for (const [line, edge] of edges) edge.classList.toggle("lit", line.from === name || line.to === name);
    for (const [each, box] of boxes) box.group.classList.toggle("chosen", each === name);
    choose(name);
  };
  for (const item of items.values()) {
    if (item.kind === "pill") {
      root.append(svg("g", { class: "end" }, svg("rect", { x: item.x - PILL.w / 2, y: item.y - PILL.h / 2, width: PILL.w, height: PILL.h, rx: 15 }), svg("text", { x: item.x, y: item.y + 4 }, short(item.text, 12), svg("title", {}, item.text))));
    } else boxes.set(item.id, box(item, light));
  }
  const order = [...boxes.values()];
  order.forEach(({ group, item }, at) => {
    group.setAttribute("tabindex", at ? -1 : 0);
    group.addEventListener("keydown", (event) => {
      const next = nearest(item, order.map((one) => one.item), event.key);
      if (!next) return;
      event.preventDefault();
      for (const one of order) one.group.setAttribute("tabindex", one.item === next ? 0 : -1);
      boxes.get(next.id).group.focus();
    });
    root.append(group);
  });
  root.style.minWidth = `${Math.round(width * LEAST)}px`;
  root.style.maxWidth = `${width}px`;
  place.replaceChildren(root);
  return (pulse, say) => {
    for (const [name, group] of Object.entries(pulse.groups)) {
      const [one, two, three] = facts.get(name);
      one.textContent = say.backlog(group); two.textContent = say.pace(group); three.textContent = group.dead ? say.dead(group) : "";
      one.classList.toggle("busy", group.backlog > 0);
    }
    for (const [name, node] of Object.entries(pulse.nodes)) {
      const { group, backlog, pace, item } = boxes.get(name);
      backlog.textContent = say.node(node); pace.textContent = say.nodePace(node);
      group.classList.toggle("busy", node.backlog > 0); group.classList.toggle("failing", node.failed > 0);
      group.setAttribute("aria-label", `Node ${name} of group ${item.group}: ${say.node(node)} ${say.nodePace(node)}`);
    }
  };
}

function box(item, light) {
  const x = item.x - NODE.w / 2, y = item.y - NODE.h / 2, { node } = item;
  const backlog = svg("text", { class: "fact backlog", x: x + 12, y: y + 37 }), pace = svg("text", { class: "fact", x: x + NODE.w - 12, y: y + 37, "text-anchor": "end" });
  const kind = KINDS[node.kind] ?? (node.key ? "keyed" : "");
  const group = svg("g", { class: "node", role: "img", "data-node": node.name },
    svg("title", {}, node.name), svg("rect", { class: "body", x, y, width: NODE.w, height: NODE.h, rx: 9 }),
    svg("text", { class: "name", x: x + 12, y: y + 20 }, short(node.name, kind ? 12 : 18)), svg("text", { class: "kind", x: x + NODE.w - 12, y: y + 20 }, kind), backlog, pace);
  group.addEventListener("focus", () => light(node.name));
  group.addEventListener("click", () => { group.focus(); light(node.name); });
  return { group, backlog, pace, item };
}

function nearest(item, others, key) {
  const [dx, dy] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key] ?? [0, 0];
  if (!dx && !dy) return null;
  const cost = (one) => { const x = one.x - item.x, y = one.y - item.y; return dx ? (x * dx > 0 ? x * dx + 2 * Math.abs(y) : Infinity) : (y * dy > 0 ? y * dy + 2 * Math.abs(x) : Infinity); };
  const best = others.reduce((a, b) => cost(b) < cost(a) ? b : a);
  return cost(best) < Infinity ? best : null;
}
