"use strict";
(() => {
  const PAGE = 50;
  const byId = (id) => document.getElementById(id);

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  // Light or dark: the system's, until a person says otherwise.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const button = byId("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const remembered = { get: () => null, set: () => {} };
  try {
    const storage = localStorage; // browsers may forbid it for a file
    remembered.get = () => storage.getItem("sql-rl-theme");
    remembered.set = (value) => storage.setItem("sql-rl-theme", value);
  } catch (forbidden) { /* then the choice lasts as long as the page */ }
  function labelTheme() { button.textContent = isDark() ? "Light" : "Dark"; }
  if (["light", "dark"].includes(remembered.get())) root.dataset.theme = remembered.get();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered.set(root.dataset.theme);
    labelTheme();
  });
  dark.addEventListener("change", labelTheme);
  button.hidden = false;
  labelTheme();

  // SQL is coloured where it is shown; what is neither of these stays plain.
  const KEYWORDS = new Set(("ADD ALL ALTER AND AS ASC AUTOINCREMENT BEGIN BETWEEN BY CASE CAST CHECK COLLATE COLUMN " +
    "CONSTRAINT CREATE CROSS CURRENT_DATE CURRENT_TIMESTAMP DEFAULT DELETE DESC DISTINCT DROP ELSE END ESCAPE EXCEPT " +
    "EXISTS FILTER FOREIGN FROM FULL GROUP HAVING IF IN INDEX INNER INSERT INTERSECT INTO IS JOIN KEY LEFT LIKE LIMIT " +
    "NATURAL NOT NULL OFFSET ON OR ORDER OUTER OVER PARTITION PRIMARY RECURSIVE REFERENCES RIGHT ROWS SELECT SET TABLE " +
    "THEN TRIGGER UNION UNIQUE UPDATE USING VALUES VIEW WHEN WHERE WINDOW WITH").split(" "));
  const TOKEN = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*'?)|("(?:[^"]|"")*"?|`[^`]*`?|\[[^\]\n]*\])|(\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|([A-Za-z_][A-Za-z_0-9]*)/g;
  function highlighted(sql) {
    const made = document.createElement("code");
    let end = 0;
    for (const found of sql.matchAll(TOKEN)) {
      const [text, comment, string, , number, word] = found;
      const kind = comment ? "c" : string ? "s" : number ? "n" : word && KEYWORDS.has(word.toUpperCase()) ? "k" : "";
      if (!kind) continue;
      made.append(sql.slice(end, found.index), element("span", { class: kind }, text));
      end = found.index + text.length;
    }
    made.append(sql.slice(end));
    return made;
  }

  function resultTable(result) {
    if (result.error) return element("p", {}, result.error);
    const head = element("tr", {}, ...result.columns.map((name) => element("th", { scope: "col" }, name)));
    const body = result.rows.map((row) => element("tr", {}, ...row.map((value) =>
      value === null ? element("td", { class: "null" }, "NULL")
        : element("td", typeof value === "number" ? { class: "number" } : {}, String(value)))));
    const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
    const said = result.cut ? "More rows follow." : result.rows.length ? "" : "No rows.";
    return element("div", { class: "result", tabindex: "0" }, table, ...(said ? [element("p", { class: "null" }, said)] : []));
  }

  function shown(field, row, texts) {
    const value = field.kind === "shared" ? texts[row[field.key]] : row[field.key];
    if (value === undefined || value === null || value === "") return null;
    const content = field.kind === "result" ? resultTable(value)
      : field.kind === "prose" ? element("p", {}, value)
        : element("pre", { tabindex: "0" }, highlighted(value));
    return element("div", { class: field.half ? "part half" : "part" }, element("h3", {}, field.label), content);
  }

  function item(row, data) {
    const meta = data.filters.filter((key) => key !== "tag").map((key) => row[key]).filter(Boolean).join(", ");
    const tag = element("span", { class: `tag ${row.tag}` }, row.tag.replaceAll("_", " "));
    const summary = element("summary", {}, tag, element("span", { class: "question" }, row.title),
      element("span", { class: "meta" }, meta));
    const details = element("details", {}, summary);
    details.addEventListener("toggle", () => { // made when it is first opened
      if (details.open && !details.querySelector(".body")) {
        const parts = data.fields.map((field) => shown(field, row, data.texts)).filter(Boolean);
        details.append(element("div", { class: "body" }, ...parts));
      }
    });
    return element("li", {}, details);
  }

  async function unpacked(base64) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let n = 0; n < text.length; n++) bytes[n] = text.charCodeAt(n);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  function browse(data) {
    const search = byId("search");
    const selects = [...document.querySelectorAll("#bar select")];
    for (const select of selects) {
      const counts = new Map();
      for (const row of data.rows) counts.set(row[select.dataset.key], (counts.get(row[select.dataset.key]) || 0) + 1);
      counts.delete(undefined);
      const values = [...counts].sort((a, b) => select.dataset.key === "tag" ? b[1] - a[1] : a[0].localeCompare(b[0], "en", { numeric: true }));
      for (const [value, count] of values)
        select.append(element("option", { value }, `${value.replaceAll("_", " ")} (${count.toLocaleString("en")})`));
    }
    const searched = ["title", ...data.fields.filter((f) => f.kind === "prose" || f.kind === "sql").map((f) => f.key)];
    const texts = new Map(); // of each row in lower case, when it is first searched
    function textOf(row) {
      if (!texts.has(row)) texts.set(row, searched.map((key) => row[key] || "").join("\n").toLowerCase());
      return texts.get(row);
    }
    let found = data.rows, page = 0;
    function show() {
      const first = page * PAGE, last = Math.min(first + PAGE, found.length);
      byId("list").replaceChildren(...found.slice(first, last).map((row) => item(row, data)));
      byId("count").textContent = `${found.length.toLocaleString("en")} of ${data.rows.length.toLocaleString("en")}`;
      byId("place").textContent = found.length ? `${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")}` : "No rows";
      byId("previous").disabled = page === 0;
      byId("next").disabled = last >= found.length;
      byId("pager").hidden = found.length <= PAGE;
    }
    function choose() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = selects.filter((s) => s.value).map((s) => [s.dataset.key, s.value]);
      found = data.rows.filter((row) => wanted.every(([key, value]) => row[key] === value) &&
        (!words.length || words.every((word) => textOf(row).includes(word))));
      page = 0;
      show();
    }
    function turn(by) {
      page += by;
      show();
      byId("rows").scrollIntoView();
    }
    let waiting;
    search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(choose, 150); });
    byId("bar").addEventListener("change", choose);
    byId("bar").addEventListener("submit", (event) => { event.preventDefault(); choose(); });
    byId("previous").addEventListener("click", () => turn(-1));
    byId("next").addEventListener("click", () => turn(1));
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.target.closest("input, select")) { event.preventDefault(); search.focus(); }
    });
    byId("bar").hidden = false;
    byId("loading").remove();
    show();
  }

  if (byId("packed"))
    unpacked(byId("packed").textContent).then(browse, (problem) => {
      byId("loading").textContent = `The rows cannot be unpacked (${problem}): a newer browser can.`;
    });
})();
