"use strict";
/* Tables sort by a click on a column's head, show what is typed into their box, and begin with their first rows. */
(() => {
  const value = (row, column, numeric) => {
    const cell = row.cells[column];
    const text = cell.dataset.v ?? cell.textContent.trim();
    if (!numeric) return text;
    return text === "" || text === "-" ? null : Number(text);
  };

  const compare = (a, b) => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 2 : -2;
    if (typeof a === "number") return Math.sign(a - b);
    return Math.sign(a.localeCompare(b, "en", { numeric: true }));
  };

  const sort = (table, column, head) => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    const numeric = head.classList.contains("n");
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, place) => ({ row, place, key: value(row, column, numeric) }));
    rows.sort((one, other) => {
      const order = compare(one.key, other.key);
      /* Cells without a value stay last, whichever way the others go. */
      if (Math.abs(order) === 2) return order;
      return (up ? order : -order) || one.place - other.place;
    });
    body.append(...rows.map((entry) => entry.row));
    show(table);
  };

  const show = (table) => {
    const words = table.find.value.trim().toLowerCase();
    let matching = 0;
    for (const row of table.tBodies[0].rows) {
      const like = !words || row.textContent.toLowerCase().includes(words);
      row.classList.toggle("unlike", !like);
      if (like) matching += 1;
      row.classList.toggle("more", like && !table.all && matching > table.first);
    }
    const shown = table.all ? matching : Math.min(matching, table.first);
    table.said.textContent = `${shown} of ${matching} rows${words ? " that match" : ""}`;
    table.button.hidden = matching <= table.first;
    table.button.textContent = table.all ? "show fewer" : "show all";
  };

  for (const table of document.querySelectorAll("table.data")) {
    const tools = document.createElement("div");
    tools.className = "tools";
    table.find = document.createElement("input");
    table.find.type = "search";
    table.find.placeholder = "show rows that contain …";
    table.find.setAttribute("aria-label", "show rows that contain");
    table.said = document.createElement("span");
    table.said.className = "pale";
    table.button = document.createElement("button");
    table.button.type = "button";
    table.first = Number(table.dataset.first);
    table.all = false;
    tools.hidden = table.tBodies[0].rows.length <= 8;
    tools.append(table.find, table.said, table.button);
    table.parentElement.before(tools);
    table.find.addEventListener("input", () => show(table));
    table.button.addEventListener("click", () => { table.all = !table.all; show(table); });
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => sort(table, column, head));
    });
    show(table);
  }
  window.addEventListener("beforeprint", () => {
    for (const table of document.querySelectorAll("table.data")) { table.all = true; show(table); }
  });
})();
