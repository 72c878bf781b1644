"use strict";
// Filters, order, hints and zoom. Everything that is read is in the page already; nothing here
// makes elements out of texts.
(() => {
  const byId = (id) => document.getElementById(id);
  const list = byId("list");
  if (!list) return;

  const FACETS = ["outcome", "severity", "flag"];
  const items = [...list.querySelectorAll(".item")];
  const homes = items.map((item) => item.parentElement);
  const groups = [...list.children];
  const tiles = [...document.querySelectorAll("a.tile[data-facet]")];
  const search = byId("search");
  const sort = byId("sort");
  const sorted = document.createElement("section");
  sorted.className = "group";
  list.append(sorted);

  // What the reader asked for; it stands in the address, so that it can be kept and sent.

  let wanted = {};

  const parsed = () => {
    const told = new URLSearchParams(location.hash.slice(1));
    const found = { q: told.get("q") || "", sort: told.get("sort") || "worst" };
    for (const facet of FACETS) {
      found[facet] = new Set((told.get(facet) || "").split(",").filter(Boolean));
    }
    return found;
  };

  const written = () => {
    const told = new URLSearchParams();
    for (const facet of FACETS) {
      if (wanted[facet].size) told.set(facet, [...wanted[facet]].join(","));
    }
    if (wanted.q) told.set("q", wanted.q);
    if (wanted.sort !== "worst") told.set("sort", wanted.sort);
    return told.toString().replaceAll("%2C", ",");
  };

  const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u00a0");

  const filtering = () => wanted.q !== "" || FACETS.some((facet) => wanted[facet].size);

  // The view by file and rule shows the findings that an item that is shown names: those of the
  // severities wanted, with the words that are not in the item's own.

  const view = byId("by-file");
  const found = view && byId("found");
  const foundAll = found && found.textContent;
  let rows = null;
  const rowsOf = () => {
    if (rows) return rows;
    const lists = new Map();
    rows = [...view.querySelectorAll("li")].map((row) => {
      const named = [...row.querySelectorAll("[data-n]")].map((link) => {
        const item = byId(link.hash.slice(1));
        if (!lists.has(item)) lists.set(item, item.querySelectorAll(".findings li"));
        return { item, whole: lists.get(item)[link.dataset.n] || row };
      });
      const flags = [
        ["blocking", "b" in row.dataset],
        ["new", "new" in row.dataset],
        ["excused", row.className === "excused"],
      ];
      return { row, named, flags, severity: row.firstElementChild.className };
    });
    return rows;
  };

  const owns = new Map();
  const ownOf = (item) => {
    if (!owns.has(item)) {
      const parts = item.querySelectorAll(".name, .line, .told, .said, .kind");
      owns.set(item, [...parts].map((part) => part.textContent).join("\n").toLowerCase());
    }
    return owns.get(item);
  };

  let narrowed = false;
  const applyToView = (words) => {
    if (!view || (!narrowed && !filtering())) return;
    narrowed = filtering();
    let number = 0;
    for (const { row, named, flags, severity } of rowsOf()) {
      const asked = flags.filter(([flag]) => wanted.flag.has(flag));
      const shown = (!wanted.severity.size || wanted.severity.has(severity)) &&
        (!asked.length || asked.some(([, has]) => has)) &&
        named.some(({ item, whole }) => !item.hidden &&
          words.every((word) => ownOf(item).includes(word) ||
            whole.textContent.toLowerCase().includes(word)));
      number += shown;
      if (row.hidden === shown) row.hidden = !shown;
    }
    for (const part of view.querySelectorAll(".file, .file > div")) {
      part.hidden = !part.querySelector("li:not([hidden])");
    }
    for (const mark of view.querySelectorAll("[data-severity]")) {
      const name = mark.dataset.severity;
      const left = mark.closest(".file").querySelectorAll(`li:not([hidden]) > .${name}`).length;
      mark.hidden = !left;
      mark.textContent = `${grouped(left)} ${name}`;
    }
    found.textContent = narrowed ? `${grouped(number)} of ${foundAll}` : foundAll;
  };

  // What is searched: names, what was said, findings. Made when it is first asked for.

  const texts = new Map();
  const textOf = (item) => {
    if (!texts.has(item)) {
      const parts = item.querySelectorAll(".name, .line, .told, .said, .findings li, .kind");
      texts.set(item, [...parts].map((part) => part.textContent).join("\n").toLowerCase());
    }
    return texts.get(item);
  };

  const fits = (item, words) =>
    FACETS.every((facet) => {
      const asked = wanted[facet];
      const has = (item.dataset[facet] || "").split(" ");
      return !asked.size || has.some((value) => asked.has(value));
    }) && words.every((word) => textOf(item).includes(word));

  const apply = () => {
    const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
    let number = 0;
    for (const item of items) {
      const shown = fits(item, words);
      number += shown;
      if (item.hidden === shown) item.hidden = !shown;
    }
    for (const group of groups) {
      group.hidden = !group.querySelector(".item:not([hidden])");
    }
    applyToView(words);
    for (const tile of tiles) {
      tile.setAttribute("aria-pressed", wanted[tile.dataset.facet].has(tile.dataset.value));
    }
    byId("none").hidden = number > 0;
    byId("clear").disabled = !filtering() && wanted.sort === "worst";
    const all = `${grouped(items.length)} ${items.length === 1 ? "item" : "items"}`;
    byId("shown").textContent = number === items.length ? all : `${grouped(number)} of ${all}`;
    tellUnfold();
  };

  const arrange = () => {
    const key = { slowest: "seconds", dearest: "cost" }[wanted.sort];
    if (key) {
      const much = (item) => Number(item.dataset[key] || -1);
      sorted.append(...[...items].sort((one, other) => much(other) - much(one)));
    } else if (sorted.firstChild) {
      items.forEach((item, place) => homes[place].append(item));
    }
  };

  const show = () => {
    search.value = wanted.q;
    sort.value = wanted.sort;
    if (sort.selectedIndex < 0) sort.value = wanted.sort = "worst";
    arrange();
    apply();
  };

  const change = (make) => {
    const before = wanted.sort;
    make();
    const told = written();
    history.replaceState(null, "", told ? `#${told}` : location.pathname + location.search);
    if (before !== wanted.sort) arrange();
    apply();
  };

  const clear = () => {
    wanted = { q: "", sort: "worst", outcome: new Set(), severity: new Set(), flag: new Set() };
  };

  // An address may name an item, as the timeline's bars do: it is shown whatever is asked for.

  const visit = () => {
    const target = /^#t\d+$/.test(location.hash) && byId(location.hash.slice(1));
    if (!target) {
      wanted = parsed();
      show();
      return;
    }
    if (target.hidden) {
      clear();
      show();
    }
    target.open = true;
    target.scrollIntoView();
    target.querySelector("summary").focus({ preventScroll: true });
  };

  // Controls.

  for (const tile of tiles) {
    tile.setAttribute("role", "button");
    const toggle = (event) => {
      event.preventDefault();
      change(() => {
        const asked = wanted[tile.dataset.facet];
        if (!asked.delete(tile.dataset.value)) asked.add(tile.dataset.value);
      });
    };
    tile.addEventListener("click", toggle);
    tile.addEventListener("keydown", (event) => {
      if (event.key === " ") toggle(event);
    });
  }

  let soon = 0;
  search.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(() => change(() => { wanted.q = search.value.trim(); }), 120);
  });
  sort.addEventListener("change", () => change(() => { wanted.sort = sort.value; }));
  byId("clear").addEventListener("click", () => {
    change(clear);
    show();
    search.focus();
  });

  const visible = () => items.filter((item) => !item.hidden);
  const unfold = byId("unfold");
  const tellUnfold = () => {
    unfold.textContent = visible().some((item) => item.open) ? "Fold all" : "Unfold all";
  };
  unfold.addEventListener("click", () => {
    const open = unfold.textContent === "Unfold all";
    for (const item of visible()) item.open = open;
    tellUnfold();
  });
  list.addEventListener("toggle", (event) => {
    if (event.target.classList.contains("item")) tellUnfold();
  }, true);

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      search.value = "";
      change(() => { wanted.q = ""; });
    }
  });

  // The timeline.

  const plot = document.querySelector(".plot");
  const hint = byId("hint");
  const told = new Map();

  const near = (node, at) => {
    hint.textContent = told.get(node);
    hint.hidden = false;
    const { width, height } = hint.getBoundingClientRect();
    const left = Math.min(Math.max(at.x - width / 2, 8), innerWidth - width - 8);
    const above = at.top - height - 8;
    hint.style.left = `${left}px`;
    hint.style.top = `${above > 8 ? above : at.bottom + 8}px`;
  };
  const around = (node) => {
    const { left, right, top, bottom } = node.getBoundingClientRect();
    return { x: (Math.max(left, 0) + Math.min(right, innerWidth)) / 2, top, bottom };
  };
  const away = () => { hint.hidden = true; };

  if (plot) {
    const svg = plot.firstElementChild;
    // Our own hints come at once, and for the keyboard; the browser's would come on top of them.
    for (const title of svg.querySelectorAll("title")) {
      told.set(title.parentElement, title.textContent);
      title.parentElement.setAttribute("aria-label", title.textContent.replace("\n", ": "));
      title.remove();
    }
    const bars = [...svg.querySelectorAll(".bar")];
    const hinted = (event) => event.target.closest && event.target.closest(".bar, .hold, .lost");
    svg.addEventListener("mousemove", (event) => {
      const node = hinted(event);
      if (!told.has(node)) { away(); return; }
      const { top, bottom } = event.target.getBoundingClientRect();
      const tall = node.classList.contains("hold");
      near(node, { x: event.clientX, top: tall ? event.clientY : top, bottom });
    });
    svg.addEventListener("mouseleave", away);
    svg.addEventListener("focusin", (event) => {
      const node = hinted(event);
      if (told.has(node)) near(node, around(node));
    });
    svg.addEventListener("focusout", away);
    addEventListener("scroll", away, { passive: true });

    const lane = (bar) => Number(bar.querySelector("rect").getAttribute("y"));
    const from = (bar) => parseFloat(bar.querySelector("rect").getAttribute("x"));
    const lanes = [...new Set(bars.map(lane))].sort((one, other) => one - other);
    const inLane = (y) => bars.filter((bar) => lane(bar) === y);
    const next = (bar, key) => {
      const row = inLane(lane(bar));
      const place = row.indexOf(bar);
      if (key === "ArrowRight") return row[place + 1];
      if (key === "ArrowLeft") return row[place - 1];
      if (key === "Home") return row[0];
      if (key === "End") return row.at(-1);
      const other = lanes[lanes.indexOf(lane(bar)) + { ArrowDown: 1, ArrowUp: -1 }[key]];
      const far = (one) => Math.abs(from(one) - from(bar));
      return inLane(other).sort((one, two) => far(one) - far(two))[0];
    };
    const KEYS = ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End"];
    svg.addEventListener("keydown", (event) => {
      const bar = event.target.closest(".bar");
      if (!bar || !KEYS.includes(event.key)) return;
      event.preventDefault();
      const other = next(bar, event.key);
      if (!other) return;
      bar.setAttribute("tabindex", "-1");
      other.setAttribute("tabindex", "0");
      other.focus();
    });

    let zoom = 0;
    const WIDEST = svg.querySelectorAll(".ticks").length - 1;
    const buttons = [...document.querySelectorAll("[data-zoom]")];
    const zoomed = (step) => {
      const middle = (plot.scrollLeft + plot.clientWidth / 2) / plot.scrollWidth;
      zoom = Math.min(Math.max(zoom + step, 0), WIDEST);
      svg.style.width = `${100 * 2 ** zoom}%`;
      svg.setAttribute("class", `zoom${zoom}`);
      plot.scrollLeft = middle * plot.scrollWidth - plot.clientWidth / 2;
      for (const button of buttons) {
        button.disabled = zoom === (Number(button.dataset.zoom) > 0 ? WIDEST : 0);
      }
    };
    for (const button of buttons) {
      button.addEventListener("click", () => zoomed(Number(button.dataset.zoom)));
    }
    zoomed(0);
  }

  addEventListener("hashchange", visit);
  clear();
  visit();
})();
