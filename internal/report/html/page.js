
// Sorts and searches the tables of the page, and folds the long ones. Without it everything is there.
"use strict";
(() => {
  const folded = 25; // rows of a long table that are shown first
  const number = (n) => n.toLocaleString("en-US");
  const named = new Intl.Collator("en", { numeric: true }).compare;

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell.classList.contains("n") ? parseFloat(cell.textContent.replaceAll(",", "")) || 0 : cell.textContent;
  };

  const element = (tag, properties) => Object.assign(document.createElement(tag), properties);

  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[table.tBodies.length - 1];
    const rows = [...body.rows];
    const texts = rows.map((row) =>
      [...row.cells].filter((c) => !c.classList.contains("n")).map((c) => c.textContent).join(" ").toLowerCase());
    const textOf = new Map(rows.map((row, i) => [row, texts[i]]));
    const field = document.getElementById(table.id + "-find");
    const long = rows.length > folded + 5;
    let shown = rows, all = !long;

    const more = element("button", { type: "button", className: "more" });
    const show = () => {
      const query = field ? field.value.trim().toLowerCase() : "";
      let found = 0;
      shown.forEach((row, i) => {
        row.hidden = !textOf.get(row).includes(query);
        row.classList.toggle("later", !all && query === "" && i >= folded);
        if (!row.hidden) found++;
      });
      if (field) {
        document.querySelector(`output[for="${field.id}"]`).textContent =
          query === "" ? "" : `${number(found)} of ${number(rows.length)}`;
      }
      more.hidden = query !== "";
      more.textContent = all ? `Show the first ${folded} alone` : `Show all ${number(rows.length)}`;
      more.setAttribute("aria-expanded", String(all));
    };

    if (long) {
      more.setAttribute("aria-controls", table.id);
      more.addEventListener("click", () => { all = !all; show(); });
      table.closest(".scroll").after(more);
    }
    if (field) {
      field.closest(".find").hidden = false;
      field.addEventListener("input", show);
    }
    if (rows.length > 1) {
      const heads = [...table.tHead.rows[0].cells];
      heads.forEach((head, column) => {
        if (head.classList.contains("bar")) return;
        const button = element("button", { type: "button", textContent: head.textContent });
        head.replaceChildren(button);
        // A figure is sorted by the largest first, a text by the alphabet; the third time the plan's own order is back.
        const turns = head.classList.contains("n") ? ["descending", "ascending"] : ["ascending", "descending"];
        button.addEventListener("click", () => {
          const next = turns[turns.indexOf(head.getAttribute("aria-sort")) + 1];
          heads.forEach((h) => h.removeAttribute("aria-sort"));
          shown = rows;
          if (next) {
            head.setAttribute("aria-sort", next);
            const way = next === "ascending" ? 1 : -1;
            const keys = new Map(rows.map((row) => [row, valueOf(row, column)]));
            shown = rows.toSorted((a, b) => {
              const x = keys.get(a), y = keys.get(b);
              return way * (typeof x === "number" ? x - y : named(x, y));
            });
          }
          body.append(...shown);
          show();
        });
      });
    }
    show();
  }
})();
