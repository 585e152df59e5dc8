// The console: asks the gateway what there is and shows it. Everything that comes from there becomes text, never markup.

import { graph, svg } from "./graph.js";

const EVERY_MS = 2000, PAGE = 50, SILENT_MS = 60_000, KEPT = 60;
const STATES = ["open", "completed", "failed", "cancelled", "expired"];
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en-US");
const app = { pipes: [], pipe: "", bus: "", missing: [], view: null, history: new Map(), timer: 0 };

// --- elements and words

function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== ""));
  return element;
}

function span(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s && s < 0.0001) return "< 0.1 ms";
  if (s < 1) return `${s && s < 0.01 ? (s * 1000).toFixed(1) : Math.round(s * 1000)} ms`;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const ago = (ms) => `${span(Date.now() - ms)} ago`;
const clock = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
const count = (n, word) => `${number.format(n)} ${word}${n === 1 ? "" : "s"}`;
const rate = (per_s) => per_s == null ? "" : `${per_s >= 100 ? number.format(Math.round(per_s)) : per_s.toFixed(per_s && per_s < 10 ? 1 : 0)}/s`;
const failureOf = (failure) => [failure.kind.replaceAll("_", " "), failure.node && `in ${failure.node}`].filter(Boolean).join(" ");
const stateMark = (state) => h("span", { class: `state ${state}` }, state);

// --- the gateway

class Refused extends Error {
  constructor(status, problem) { super(problem.detail ?? problem.title ?? `the gateway answered ${status}`); this.status = status; }
}

function credentials() {
  const secret = sessionStorage.getItem("headrace-credentials");
  if (!secret) return {};
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(secret) && secret.startsWith("ey") ? { authorization: `Bearer ${secret}` } : { "x-api-key": secret };
}

async function ask(path, query = {}, body) {
  const url = new URL(`console/api/${path}`, document.baseURI);
  for (const [key, value] of Object.entries(query)) if (value !== "" && value != null) url.searchParams.set(key, value);
  const options = { headers: credentials(), credentials: "same-origin", signal: AbortSignal.timeout(15_000) };
  if (body) {
    options.headers["content-type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  }
  const response = await fetch(url, options);
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  return response.json();
}

function trouble(error) {
  const away = !(error instanceof Refused);
  $("trouble").textContent = away ? "The gateway does not answer. What is shown is from before." : `${error.message}.`;
  $("trouble").hidden = false;
  live("off", "not live");
  if (error.status === 401 || error.status === 403) signIn(error);
}

function live(how, text) {
  $("live").className = `live ${how}`;
  $("live").replaceChildren(h("span", {}, text));
}

// --- what is shown

async function start() {
  try {
    const found = await ask("pipes");
    Object.assign(app, found, { pipe: found.pipes.some((one) => one.pipe === app.pipe) ? app.pipe : found.pipes[0].pipe });
  } catch (error) {
    trouble(error);
    if (error.status !== 401 && error.status !== 403) app.timer = setTimeout(start, EVERY_MS);
    return;
  }
  $("pipe").replaceChildren(...app.pipes.map((one) => h("option", { value: one.pipe }, one.pipe)));
  $("pipe").value = app.pipe;
  $("pipe-label").hidden = false;
  $("sign-out").hidden = !sessionStorage.getItem("headrace-credentials");
  await route();
}

function place() {
  const [path, query = ""] = location.hash.slice(2).split("?");
  const [view = "graph", id = ""] = path.split("/");
  return { view: view in views ? view : "graph", id, query: new URLSearchParams(query) };
}

async function route() {
  if (!app.pipes.length) return;
  const { view, id, query } = place();
  for (const link of $("views").children) link.dataset.view === view ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  const key = `${view} ${app.pipe}`;
  if (app.view?.key !== key) {
    const drawing = app.pipes.find((one) => one.pipe === app.pipe);
    app.view = { key, ...views[view]($("view"), drawing, query) };
    document.title = `${$("views").querySelector("[aria-current]").firstChild.textContent.trim()} · ${app.pipe} · Headrace`;
  }
  if (view === "runs" && id) openRun(id); else closeRun();
  await refresh();
}

async function refresh() {
  clearTimeout(app.timer);
  const view = app.view;
  try {
    if (document.hidden) return;
    const pulse = await ask("pulse", { pipe: app.pipe });
    remember(pulse);
    await view.show(pulse);
    if (app.run && view === app.view) await app.run.show();
    $("trouble").hidden = true;
    live("on", "live");
  } catch (error) {
    trouble(error);
    if (error.status === 401 || error.status === 403) return;
  } finally {
    clearTimeout(app.timer);
    if (app.pipes.length) app.timer = setTimeout(refresh, EVERY_MS);
  }
}

function remember({ pulse }) {
  let dead = 0;
  for (const [name, group] of Object.entries(pulse.groups)) {
    const key = `${app.pipe}.${name}`, seen = app.history.get(key) ?? [];
    seen.push(group.backlog);
    app.history.set(key, seen.slice(-KEPT));
    dead += group.dead;
  }
  $("letters-count").textContent = number.format(dead);
  $("letters-count").hidden = !dead;
}

// Keeps the rows of a table in place, so that focus and selection stay where they were.
function sync(body, items, key, make) {
  const there = new Map([...body.children].map((row) => [row.dataset.key, row]));
  items.forEach((item, at) => {
    let row = there.get(key(item));
    if (!row) { row = h("tr", { "data-key": key(item) }); }
    there.delete(key(item));
    const cells = make(item, row);
    cells.forEach((cell, column) => {
      const old = row.children[column];
      if (!old) row.append(cell); else if (old.textContent !== cell.textContent || old.dataset.live) old.replaceWith(cell);
    });
    if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
  });
  for (const row of there.values()) row.remove();
}

function walkable(body, open) {
  const rove = () => { const rows = [...body.children]; if (rows.length && !rows.some((row) => row.tabIndex === 0)) rows[0].tabIndex = 0; };
  body.addEventListener("keydown", (event) => {
    const rows = [...body.children], at = rows.indexOf(event.target);
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (event.key === "Enter") { event.preventDefault(); open(event.target.dataset.key); }
    if (to == null || !rows[to]) return;
    event.preventDefault();
    rows[at].tabIndex = -1; rows[to].tabIndex = 0; rows[to].focus();
  });
  body.addEventListener("click", (event) => { const row = event.target.closest("tr"); if (row && !event.target.closest("a, button")) { row.focus(); open(row.dataset.key); } });
  return rove;
}

const cell = (text, attributes = {}) => h("td", attributes, text);
const card = (title, note, ...children) => h("section", { class: "card" }, title && h("div", { class: "head" }, h("h2", {}, title), note && h("span", { class: "soft" }, note)), ...children);
const heads = (...names) => h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col", class: name.startsWith("#") ? "num" : "" }, name.replace("#", "")))));
const tile = (name, value, note = "", bad = false) => h("div", { class: `card tile${bad ? " bad" : ""}` }, h("dt", {}, name), h("dd", {}, value, note && h("small", {}, note)));

function spark(values) {
  const most = Math.max(1, ...values), step = 96 / (KEPT - 1), start = 96 - (values.length - 1) * step;
  const d = values.map((value, at) => `${at ? "L" : "M"}${(start + at * step).toFixed(1)} ${(22 - 20 * value / most).toFixed(1)}`).join("");
  return svg("svg", { class: "spark", viewBox: "0 0 96 24", "aria-hidden": "true" }, svg("path", { d: values.length > 1 ? d : "" }));
}

function meter(taken, limit) {
  const full = limit ? Math.min(100, 100 * taken / limit) : 0, fill = h("i");
  fill.style.width = `${full}%`;
  return h("span", { class: `meter${full > 90 ? " full" : ""}` }, fill);
}

const shown = (group) => group.replicas.filter((one) => one.silent_ms < SILENT_MS || one.held);
const alive = (group) => group.replicas.filter((one) => one.silent_ms < SILENT_MS);

const say = {
  backlog: (group) => `${number.format(group.backlog)} in backlog`,
  pace: (group) => [group.paused_ms >= 0 ? "paused" : rate(group.per_s), group.replicas.length && count(alive(group).length, "replica")].filter(Boolean).join(" · "),
  dead: (group) => count(group.dead, "dead letter"),
  node: (node) => node.backlog ? `${node.is_estimate ? "≈ " : ""}${number.format(node.backlog)} waiting` : "idle",
  nodePace: (node) => [node.failed ? `${number.format(node.failed)} failed` : "", rate(node.per_s)].filter(Boolean).join(" · "),
};

// --- views: each makes its elements once, and gives what puts the newest numbers in

function graphView(main, drawing) {
  const tiles = h("dl", { class: "tiles" }), canvas = h("div", { class: "graph" }), about = h("div", { class: "about", "aria-live": "polite" }), body = h("tbody");
  const none = () => about.replaceChildren(h("span", {}, "Choose a node to see what it takes and gives. Dashed lines lead to another group, over the bus."));
  none();
  const table = h("table", { class: "rows" }, heads("Group", "#Backlog", "Last 2 minutes", "#In hand", "#Scheduled", "#Rate", "#Oldest", "#Dead", "Replicas"), body);
  main.replaceChildren(tiles, card(drawing.pipe, `plan ${drawing.version.slice(0, 12)} · ${count(drawing.nodes.length, "node")} · ${count(Object.keys(drawing.groups).length, "group")}`, canvas, about), card("Groups", "", h("div", { class: "scroll" }, table)), h("ul", { class: "notes" }, app.missing.map((one) => h("li", {}, `Not shown on the ${app.bus} bus. ${one}`))));
  const update = graph(canvas, drawing, (name) => describe(about, drawing.nodes.find((node) => node.name === name)));
  return {
    show({ pulse }) {
      update(pulse, say);
      const groups = Object.entries(pulse.groups), sum = (pick) => groups.reduce((total, [, group]) => total + pick(group), 0);
      const rates = groups.map(([, group]) => group.per_s).filter((one) => one != null), dead = sum((group) => group.dead), oldest = Math.max(...groups.map(([, group]) => group.oldest_ms));
      tiles.replaceChildren(
        tile("Backlog", number.format(sum((group) => group.backlog)), `${number.format(sum((group) => group.held))} in hand`),
        tile("Entries", rates.length ? rate(rates.reduce((a, b) => a + b, 0)) : "–", "done"), tile("Oldest entry", oldest ? span(oldest) : "–"),
        tile("Scheduled", number.format(sum((group) => group.scheduled)), "for later"), tile("Replicas", number.format(sum((group) => alive(group).length)), `in ${count(groups.length, "group")}`), tile("Dead letters", number.format(dead), "", dead > 0));
      sync(body, groups, ([name]) => name, ([name, group]) => [
        h("td", { class: "main" }, h("b", {}, name), h("span", { class: "sub" }, drawing.groups[name].join(", "))), cell(number.format(group.backlog), { class: "num side" }), h("td", { "data-live": "1" }, spark(app.history.get(`${app.pipe}.${name}`) ?? [])),
        cell(number.format(group.held), { class: "num" }), cell(number.format(group.scheduled), { class: "num" }), cell(group.paused_ms >= 0 ? "paused" : rate(group.per_s) || "–", { class: "num" }), cell(group.oldest_ms ? span(group.oldest_ms) : "–", { class: "num" }),
        cell(number.format(group.dead), { class: `num${group.dead ? " fail" : ""}` }), h("td", { class: "more" }, replicas(group)),
      ]);
    },
    escape: none,
  };
}

function replicas(group) {
  if (!shown(group).length) return h("span", { class: "soft" }, "–");
  const tag = (one) => one.name.split(/[-.:]/).at(-1);
  return h("ul", { class: "replicas" }, shown(group).slice(0, 8).map((one) => h("li", { class: one.silent_ms < SILENT_MS ? "" : "silent", title: `${one.name}${one.host && `, process ${one.pid} on ${one.host}`}, last heard ${span(one.silent_ms)} ago` }, one.silent_ms < SILENT_MS ? `${tag(one)} · ${number.format(one.held)}` : `${tag(one)} · silent`)), shown(group).length > 8 ? h("li", {}, `and ${shown(group).length - 8} more`) : "");
}

function describe(about, node) {
  const fact = (name, value) => value ? h("span", {}, `${name} `, h("code", {}, value)) : "";
  about.replaceChildren(...[h("b", {}, node.name), fact("group", node.group), fact("takes", node.takes.join(" + ")), fact("gives", node.gives.join(" | ")), fact("key", node.key), node.executor === "inline" ? "" : fact("runs in", node.executor), node.sends_anywhere ? h("span", {}, "sends to any node") : ""].filter(Boolean));
}

function listView(main, { title, hint, columns, none, load, row, open, states }) {
  const query = place().query, asked = { q: query.get("q") ?? "", state: query.get("state") ?? "", kind: query.get("kind") ?? "", offset: 0, limit: PAGE };
  const search = h("input", { type: "search", id: "search", placeholder: hint, "aria-label": hint, value: asked.q, autocomplete: "off", spellcheck: "false" });
  const chips = h("div", { class: "chips", role: "group", "aria-label": "State" }), kinds = h("select", { "aria-label": "Kind of failure" }, h("option", { value: "" }, "Any failure"));
  const body = h("tbody"), empty = h("p", { class: "empty", hidden: true }), told = h("span", { role: "status" }), back = h("button", { type: "button" }, "Newer"), on = h("button", { type: "button" }, "Older");
  const rove = walkable(body, open);
  main.replaceChildren(h("section", { class: "card", "aria-label": title }, h("div", { class: "bar" }, h("div", { class: "search" }, search, h("kbd", { "aria-hidden": "true" }, "/")), states ? chips : "", kinds), h("div", { class: "scroll" }, h("table", { class: "rows" }, heads(...columns), body)), empty, h("div", { class: "foot" }, told, back, on)));
  const again = (change) => { Object.assign(asked, { offset: 0 }, change); return refresh(); };
  let typing = 0;
  search.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => again({ q: search.value.trim() }), 150); });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && body.firstChild) { event.preventDefault(); body.firstChild.focus(); }
    if (event.key === "Enter" && /^[0-9a-f]{32}$/.test(search.value.trim()) && states) open(search.value.trim());
  });
  kinds.addEventListener("change", () => again({ kind: kinds.value }));
  back.addEventListener("click", () => again({ offset: Math.max(0, asked.offset - PAGE) }));
  on.addEventListener("click", () => again({ offset: asked.offset + PAGE }));
  let newest = 0;
  return {
    async show() {
      const turn = ++newest, page = await load({ pipe: app.pipe, ...asked });
      if (turn !== newest) return; // a later question has been asked
      if (states) chipsOf(chips, page.states, asked.state, (state) => again({ state }));
      kindsOf(kinds, page.kinds, asked.kind);
      sync(body, page.rows, (item) => item.trace_id && !item.name ? item.trace_id : item.name, (item, line) => { if (!line.hasAttribute("tabindex")) line.tabIndex = -1; line.setAttribute("aria-selected", app.run?.id === line.dataset.key); return row(item); });
      rove();
      empty.hidden = page.rows.length > 0;
      empty.textContent = asked.q || asked.state || asked.kind ? "Nothing fits. Press Escape to clear the search." : none();
      const last = asked.offset + page.rows.length, more = page.is_all === false && page.rows.length ? " Not all were looked at." : "";
      told.textContent = page.rows.length ? `${number.format(asked.offset + 1)}–${number.format(last)} of ${number.format(page.matched)}.${more}` : "";
      back.disabled = !asked.offset; on.disabled = last >= page.matched;
    },
    escape() { search.value = ""; return again({ q: "", state: "", kind: "" }); },
    reload: () => refresh(),
  };
}

function chipsOf(chips, states, chosen, choose) {
  const all = Object.values(states).reduce((a, b) => a + b, 0);
  if (!chips.children.length) for (const state of ["", ...STATES]) chips.append(h("button", { type: "button", "data-state": state, onclick: () => choose(state) }, state ? state[0].toUpperCase() + state.slice(1) : "All", h("span")));
  for (const chip of chips.children) {
    const { state } = chip.dataset;
    chip.setAttribute("aria-pressed", state === chosen);
    chip.lastChild.textContent = number.format(state ? states[state] ?? 0 : all);
  }
}

function kindsOf(select, kinds, chosen) {
  const names = [...new Set([...Object.keys(kinds), chosen].filter(Boolean))].sort();
  if (select.dataset.names !== names.join()) {
    select.replaceChildren(h("option", { value: "" }, "Any failure"), ...names.map((name) => h("option", { value: name }, name.replaceAll("_", " "))));
    select.dataset.names = names.join();
  }
  select.value = chosen;
}

function runsView(main) {
  const listed = !app.missing.some((one) => one.startsWith("Lists of runs"));
  return listView(main, {
    title: "Runs", hint: "Search by trace id", columns: ["State", "Run", "#Started", "#In flight", "Failure"], states: true, load: (asked) => ask("runs", asked),
    none: () => listed ? "No runs yet. Start one, and it appears here." : "This bus does not list runs: give a whole trace id and press Enter.",
    open: (id) => { location.hash = `#/runs/${id}`; },
    row: (run) => [h("td", { class: "main" }, stateMark(run.state)), cell(run.trace_id, { class: "mono line" }), cell(ago(run.created_ms), { class: "num side", title: clock(run.created_ms) }), cell(run.in_flight ? number.format(run.in_flight) : "–", { class: "num" }), cell(run.failure && run.state !== "cancelled" ? failureOf(run.failure) : "", { class: "fail more" })],
  });
}

function lettersView(main) {
  return listView(main, {
    title: "Dead letters", hint: "Search by run, node or group", columns: ["Given up", "Group and node", "Failure", "#Attempts", "#Deliveries", ""], states: false, load: (asked) => ask("letters", asked),
    none: () => "No dead letters. What is given up on appears here, and can be started again.",
    open: (name) => confirmRedrive(name),
    row: (one) => [
      h("td", { class: "line", title: one.name }, one.at_ms ? ago(one.at_ms) : "", one.trace_id ? h("a", { class: "sub mono", href: `#/runs/${one.trace_id}`, title: one.trace_id }, one.trace_id.slice(0, 16) + "…") : ""), h("td", { class: "main" }, h("b", {}, one.group), h("span", { class: "sub" }, one.node || "unreadable")),
      h("td", { class: "fail more" }, one.kind.replaceAll("_", " "), h("span", { class: "sub" }, [one.error, one.source.replaceAll("_", " ")].filter(Boolean).join(" · ")), one.detail ? h("span", { class: "sub" }, one.detail) : ""), cell(number.format(one.attempts), { class: "num" }), cell(number.format(one.deliveries), { class: "num" }),
      h("td", { class: "num side" }, h("button", { type: "button", "aria-label": `Redrive ${one.name}`, onclick: () => confirmRedrive(one.name) }, "Redrive")),
    ],
  });
}

function admissionView(main) {
  const tiles = h("dl", { class: "tiles" }), body = h("tbody"), limits = { max_runs: "open runs of the pipe", max_waiters: "requests under way in an endpoint", client_rate: "requests a second of a client" };
  const table = h("table", { class: "rows" }, heads("Endpoint", "#Under way", "#Of at most", "#Dealt with", "#Refused"), body);
  main.replaceChildren(tiles, card("Endpoints", "counts of this gateway's process since it started", h("div", { class: "scroll" }, table)), h("ul", { class: "notes" }, Object.entries(limits).map(([name, what]) => h("li", {}, h("span", { class: "mono" }, name), ` bounds ${what}.`))));
  return {
    show({ runs, endpoints, refused }) {
      tiles.replaceChildren(tile("Admitted and open", number.format(runs.open), runs.limit ? `of ${number.format(runs.limit)} runs` : "runs", runs.limit > 0 && runs.open >= runs.limit), tile("Admitted and ended", number.format(runs.ended)), ...Object.entries(refused).map(([limit, n]) => tile(`Refused by ${limit}`, number.format(n), "", n > 0)));
      sync(body, Object.entries(endpoints), ([name]) => name, ([name, [taken, limit, freed, no]]) => [cell(name, { class: "mono main" }), h("td", { class: "line num", "data-live": "1" }, number.format(taken), meter(taken, limit)), cell(number.format(limit), { class: "num" }), cell(number.format(freed), { class: "num" }), cell(number.format(no), { class: `num side${no ? " fail" : ""}` })]);
    },
  };
}

const views = { graph: graphView, runs: runsView, letters: lettersView, admission: admissionView };

// --- one run

function openRun(id) {
  if (app.run?.id === id) return;
  closeRun();
  const panel = $("panel");
  app.run = { id, from: document.activeElement, async show() {
    try { const story = await ask(`runs/${id}`); if (app.run?.id === id) tell(panel, story); }
    catch (error) { if (error.status !== 404) throw error; if (app.run?.id === id) runHead(panel, id, h("p", { class: "soft" }, "This run is unknown, or its record is no longer kept.")); }
  } };
  panel.replaceChildren();
  runHead(panel, id);
  panel.hidden = false;
  panel.focus({ preventScroll: true });
}

function closeRun() {
  if (!app.run) return;
  const { from, id } = app.run;
  app.run = null;
  $("panel").hidden = true;
  for (const row of document.querySelectorAll("tr[aria-selected=true]")) row.setAttribute("aria-selected", "false");
  (document.querySelector(`tr[data-key="${CSS.escape(id)}"]`) ?? from)?.focus?.();
}

function runHead(panel, id, ...rest) {
  const keep = panel.querySelector(".head");
  const head = keep ?? h("div", { class: "head" }, h("div", {}, h("span", { id: "panel-state" }), h("h2", { id: "panel-title" }, id)), h("button", { type: "button", onclick: () => navigator.clipboard?.writeText(id).then(() => toast("Copied.")) }, "Copy id"), h("button", { type: "button", onclick: () => { location.hash = "#/runs"; } }, "Close"));
  panel.replaceChildren(head, ...rest.filter(Boolean));
}

function tell(panel, story) {
  const fact = (name, value, title) => value ? h("div", { title }, h("dt", {}, name), h("dd", {}, value)) : "";
  const section = (title, items) => items.length ? h("section", {}, h("h3", {}, title), h("ul", { class: "places" }, items)) : "";
  const item = (main, sub) => h("li", {}, main, h("span", { class: "sub" }, sub));
  const left = story.deadline_ms - story.now_ms;
  runHead(panel, story.trace_id,
    story.failure ? h("p", { class: "why" }, h("b", {}, failureOf(story.failure)), ` · ${[story.failure.error, story.failure.source?.replaceAll("_", " ")].filter(Boolean).join(" · ")}`, story.failure.detail ? h("br") : "", story.failure.detail ?? "") : "",
    h("section", {}, h("dl", { class: "facts" }, fact("Pipe", story.pipe), fact("Plan", story.plan.slice(0, 12), story.plan), fact("Started", `${span(story.now_ms - story.created_ms)} ago`, clock(story.created_ms)), fact("Deadline", story.deadline_ms ? left > 0 ? `in ${span(left)}` : "has passed" : "none"), fact("Result", story.result_type), fact("In flight", number.format(story.in_flight)), fact("At joins", story.waiting && number.format(story.waiting)), fact("For signals", story.suspended && number.format(story.suspended)), fact("Record kept for", story.kept_ms > 0 && span(story.kept_ms)), fact("Waited for by", story.waited_for_by.join(", ")))),
    timeline(story),
    section("In streams", story.entries.map((one) => item(one.stream, `here for ${span(story.now_ms - one.since_ms)}, ${one.held_by ? `held by ${one.held_by}, handed out ${count(one.deliveries, "time")}` : "waits to be read"}${one.lane ? `, lane ${one.lane}` : ""}`))),
    section("Scheduled", story.scheduled.map((one) => item(one.stream, `${one.is_spill ? count(one.count, "output") : "an item"}, due ${one.due_ms > story.now_ms ? `in ${span(one.due_ms - story.now_ms)}` : "now"}`))),
    section("In lanes", story.lanes.map((one) => item(one.lane, `${one.ahead ? `${number.format(one.ahead)} ahead` : "first"}${one.is_parked ? ", parked" : ", place taken at ingress"}`))),
    section("At joins", story.joins.map((one) => item(one.node, one.gathered != null ? `gathered ${number.format(one.gathered)}` : `has ${one.arrived.join(", ") || "nothing yet"}; waits for ${Object.keys(one.missing).join(", ") || "nothing"}`))),
    section("Waits for signals", story.signals.map((one) => item(one.signal, `${number.format(one.count)} in ${one.streams.join(", ")}`))),
    section("Dead letters", story.letters.map((name) => h("li", {}, h("a", { href: `#/letters?q=${encodeURIComponent(story.trace_id)}` }, name)))));
  $("panel-state").replaceChildren(stateMark(story.state));
}

// Before the first call of a hop a faint bar: the time that its entry was queued.
// A bar for each attempt of each call that the run's events tell of; of a run without events, what waits and since when.
function bars(story) {
  const open = new Map(), found = [];
  for (const event of story.events) {
    const key = `${event.node} ${event.invocation_id} ${event.attempt}`;
    if (event.kind === "node_started") { const bar = { name: event.node, attempt: event.attempt, id: event.invocation_id, from: event.at_ms, to: null, how: "wait", queued: event.queued_ms ?? 0, where: where(event) }; open.set(key, bar); found.push(bar); }
    else if (event.kind === "replaced") { for (const bar of found) if (bar.id === event.invocation_id && bar.to == null) Object.assign(bar, { to: event.at_ms, how: "void", note: "made again" }); }
    else if (event.kind === "suspended" && open.has(key)) Object.assign(open.get(key), { to: event.at_ms, how: "wait", note: "suspended" });
    else if (open.has(key) && /^node_(ended|failed)$/.test(event.kind)) Object.assign(open.get(key), { to: event.at_ms, took: event.took_ms, how: event.kind === "node_failed" ? "failed" : "", note: event.what });
  }
  for (const entry of story.entries) found.push({ name: entry.stream.split(".").at(-1), attempt: 1, from: entry.since_ms, to: story.now_ms, how: "wait", note: "waiting" });
  return found;
}

// Of the first call of a hop: on which worker it is, and how long its entry was queued.
function where(event) {
  if (!event.worker) return "";
  return `${event.worker} · queued ${span(event.queued_ms)}${event.deliveries > 1 ? ` · handed out ${event.deliveries} times` : ""}`;
}

function timeline(story) {
  const found = bars(story);
  if (!found.length) return h("section", {}, h("h3", {}, "Timeline"), h("p", { class: "soft" }, story.events.length ? "Nothing of it has been called." : "This run keeps no events. Runs that are followed, such as by server-sent events, do."));
  const ended = story.events.find((event) => STATES.includes(event.kind)), last = Math.max(ended?.at_ms ?? story.now_ms, ...found.map((bar) => bar.to ?? 0)), start = Math.min(story.created_ms, ...found.map((bar) => bar.from - (bar.queued ?? 0))), whole = Math.max(1, last - start);
  const piece = (kind, from, until) => {
    const made = h("i", { class: kind });
    made.style.left = `${100 * (from - start) / whole}%`;
    made.style.width = `${Math.max(0, 100 * (until - from) / whole)}%`;
    return made;
  };
  const rows = found.map((bar) => {
    const to = bar.to ?? last, fill = piece(bar.how, bar.from, to);
    const name = bar.attempt > 1 ? `${bar.name} (${bar.attempt})` : bar.name;
    return h("li", { title: [[name, bar.note].filter(Boolean).join(": "), bar.where].filter(Boolean).join(", ") }, h("span", { class: "what" }, name, bar.where ? h("small", {}, bar.where) : null), h("span", { class: "track" }, bar.queued ? piece("queued", bar.from - bar.queued, bar.from) : null, fill), h("span", { class: bar.how === "failed" ? "num fail" : "num soft" }, bar.to == null ? "under way" : span(bar.took ?? to - bar.from)));
  });
  return h("section", {}, h("h3", {}, "Timeline"), h("ol", { class: "timeline" }, rows), h("div", { class: "axis", "aria-hidden": "true" }, h("span", {}, "0"), h("span", {}, span(whole))));
}

// --- redrive, signing in, keys

function confirmRedrive(name) {
  const dialog = $("confirm"), from = document.activeElement, again = h("button", { type: "button", class: "main" }, "Redrive"), problem = h("p", { class: "fail", role: "alert" });
  again.addEventListener("click", async () => {
    again.disabled = true;
    try { const { trace_id } = await ask("redrive", {}, { letter: name }); dialog.close(); toast("Started again as run ", h("a", { href: `#/runs/${trace_id}`, class: "mono" }, `${trace_id.slice(0, 12)}…`)); app.view.reload?.(); }
    catch (error) { problem.textContent = error.message; again.disabled = false; }
  });
  dialog.replaceChildren(h("h2", { id: "confirm-title" }, "Redrive this dead letter?"), h("p", { class: "mono" }, name), h("p", {}, "A new run begins at the node that gave up, with the same messages and no deadline. The letter is taken out. What the node did outside before it failed may be done again."), problem, h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, "Leave it"), again));
  dialog.onclose = () => from?.focus?.();
  dialog.showModal();
}

function toast(...words) {
  $("toast").replaceChildren(...words);
  $("toast").hidden = false;
  clearTimeout(app.toast);
  app.toast = setTimeout(() => { $("toast").hidden = true; }, 8000);
}

function signIn(error) {
  clearTimeout(app.timer);
  Object.assign(app, { pipes: [], view: null });
  closeRun();
  $("trouble").hidden = true;
  live("", "signed out");
  const secret = h("input", { type: "password", id: "secret", autocomplete: "off", required: true });
  const given = sessionStorage.getItem("headrace-credentials");
  $("view").replaceChildren(h("section", { class: "card sign-in" }, h("h2", {}, "Sign in"), h("p", { class: "soft" }, "The console needs an API key or a token with the scope admin. It is kept until this tab is closed."), h("form", { onsubmit: (event) => { event.preventDefault(); sessionStorage.setItem("headrace-credentials", secret.value.trim()); start(); } }, h("label", {}, "API key or token", secret), given ? h("p", { class: "fail", role: "alert" }, `${error.message}.`) : "", h("button", { class: "main" }, "Sign in"))));
  secret.focus();
}

function escape(event) {
  if ($("confirm").open) return;
  event.preventDefault();
  if (app.run) location.hash = "#/runs"; else { app.view?.escape?.(); document.activeElement?.blur?.(); }
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return escape(event);
  if (event.target.closest("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); $("search") ? $("search").focus() : (location.hash = "#/runs", setTimeout(() => $("search")?.focus())); }
  const view = { 1: "graph", 2: "runs", 3: "letters", 4: "admission" }[event.key];
  if (view) location.hash = `#/${view}`;
});

const THEMES = ["auto", "light", "dark"];
function theme(name) {
  name === "auto" ? document.documentElement.removeAttribute("data-theme") : document.documentElement.setAttribute("data-theme", name);
  localStorage.setItem("headrace-theme", name);
  $("theme").textContent = `Theme: ${name}`;
}
$("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf(localStorage.getItem("headrace-theme")) + 1) % THEMES.length]));
theme(THEMES.includes(localStorage.getItem("headrace-theme")) ? localStorage.getItem("headrace-theme") : "auto");
$("sign-out").addEventListener("click", () => { sessionStorage.removeItem("headrace-credentials"); $("sign-out").hidden = true; location.hash = "#/graph"; start(); });
$("pipe").addEventListener("change", () => { app.pipe = $("pipe").value; location.hash = location.hash.replace(/(#\/\w+).*/, "$1"); route(); });
addEventListener("hashchange", route);
document.addEventListener("visibilitychange", () => { if (!document.hidden && app.pipes.length) refresh(); });
start();
