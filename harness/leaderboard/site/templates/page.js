"use strict";
// Sorts and filters the table of a board. The address keeps what is shown (#q=...&sort=...&down=1&all=1): a link shares it.
const table = document.getElementById("board");
if (table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map(head => head.textContent.trim());
  const filter = document.getElementById("filter");
  const all = document.getElementById("all");
  const count = document.getElementById("count");
  const state = { q: "", sort: "", down: false, all: false };

  const value = (row, column) => {
    const cell = row.cells[column];
    const raw = cell.dataset.value;
    return raw === undefined ? cell.textContent.trim().toLowerCase() : raw === "" ? null : Number(raw);
  };
  const sorted = column => rows.map(row => [value(row, column), row]).sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // what has no value stays last
    const order = typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0;
    return state.down ? -order : order;
  }).map(([, row]) => row);

  const show = () => {
    const column = names.indexOf(state.sort);
    body.append(...(column < 0 ? rows : sorted(column)));
    heads.forEach((head, i) => {
      if (i === column) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      shown += !row.hidden;
    }
    if (filter) {
      if (filter.value !== state.q) filter.value = state.q;
      count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    }
    if (all) all.checked = state.all;
  };
  const keep = () => {
    const said = new URLSearchParams();
    if (state.q) said.set("q", state.q);
    if (state.sort) said.set("sort", state.sort);
    if (state.sort && state.down) said.set("down", "1");
    if (state.all) said.set("all", "1");
    history.replaceState(null, "", `#${said}`);
    show();
  };
  const read = () => {
    const said = new URLSearchParams(location.hash.slice(1));
    if (![...said.keys()].every(key => key in state)) return; // the name of a section
    state.q = said.get("q") || "";
    state.sort = said.get("sort") || "";
    state.down = said.get("down") === "1";
    state.all = said.get("all") === "1" || Boolean(!location.hash && all && all.checked);
    show();
  };

  heads.forEach((head, i) => {
    let button = head.querySelector("button");
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
    }
    button.addEventListener("click", () => {
      state.down = state.sort === names[i] && !state.down;
      state.sort = names[i];
      keep();
    });
  });
  if (filter) {
    filter.form.hidden = false;
    filter.form.addEventListener("submit", event => event.preventDefault());
    filter.addEventListener("input", () => { state.q = filter.value; keep(); });
  }
  if (all) all.addEventListener("change", () => { state.all = all.checked; keep(); });
  window.addEventListener("hashchange", read);
  read();
}
