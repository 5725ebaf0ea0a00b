// Shows values of curves and enlarges figures. Without this script the page still has all figures, tables and texts.
"use strict";
(() => {
  const ENLARGED = 2; // times the figure's size in print
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const shown = (value) => (typeof value === "string" ? value : String(Number(value.toPrecision(4))).replaceAll("-", "−"));
  const axis = (name, short, value) => `${name || short}: ${shown(value)}`;

  // A sheet contains a figure; panels are its axes, with positions as fractions of the sheet (paper_figs/report/tooltips.py).
  function readable(box, sheet, panels) {
    const spot = make("span", { class: "spot", hidden: "" });
    const tip = make("div", { class: "tip", role: "status" });
    const at = { panel: 0, line: 0, point: -1 };
    tip.hidden = true;
    sheet.append(spot, tip);

    const hide = () => { spot.hidden = tip.hidden = true; };

    function show() {
      const panel = panels[at.panel], line = panel.series[at.line], [x, y, left, top] = line.points[at.point];
      const swatch = make("i", { style: `background:${line.colour}` });
      const text = [line.name, axis(panel.x, "x", x), axis(panel.y, "y", y)].filter(Boolean).join("\n");
      tip.replaceChildren(...(panel.title ? [make("strong", {}, panel.title), "\n"] : []), swatch, text);
      spot.hidden = tip.hidden = false;
      spot.style.left = `${100 * left}%`;
      spot.style.top = `${100 * top}%`;
      const width = sheet.clientWidth, height = sheet.clientHeight;
      const beside = left * width + (left < 0.5 ? 14 : -14 - tip.offsetWidth);
      tip.style.left = `${Math.max(0, Math.min(width - tip.offsetWidth, beside))}px`;
      tip.style.top = `${Math.max(0, Math.min(height - tip.offsetHeight, top * height + 14))}px`;
    }

    function nearest(event) {
      const frame = sheet.getBoundingClientRect();
      const across = (event.clientX - frame.left) / frame.width, down = (event.clientY - frame.top) / frame.height;
      let best = Infinity;
      panels.forEach((panel, i) => {
        const [left, top, right, bottom] = panel.box;
        if (across < left || across > right || down < top || down > bottom) return;
        panel.series.forEach((line, j) => line.points.forEach(([, , x, y], k) => {
          const apart = Math.hypot((x - across) * frame.width, (y - down) * frame.height);
          if (apart < best) { best = apart; Object.assign(at, { panel: i, line: j, point: k }); }
        }));
      });
      if (best < Infinity) show(); else hide();
    }

    // The same horizontal place on another line or in another panel.
    function alongside(panel, line) {
      const place = at.point < 0 ? 0 : panels[at.panel].series[at.line].points[at.point][2];
      const points = panels[panel].series[line].points;
      const apart = points.map(([, , x]) => Math.abs(x - place));
      Object.assign(at, { panel, line, point: apart.indexOf(Math.min(...apart)) });
    }

    const round = (number, count) => (number + count) % count;
    const steps = {
      ArrowRight: () => { at.point = Math.min(at.point + 1, panels[at.panel].series[at.line].points.length - 1); },
      ArrowLeft: () => { at.point = Math.max(at.point - 1, 0); },
      ArrowDown: () => alongside(at.panel, round(at.line + 1, panels[at.panel].series.length)),
      ArrowUp: () => alongside(at.panel, round(at.line - 1, panels[at.panel].series.length)),
      PageDown: () => alongside(round(at.panel + 1, panels.length), 0),
      PageUp: () => alongside(round(at.panel - 1, panels.length), 0),
    };
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !tip.hidden && !box.closest("dialog")) { hide(); return; }
      if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      steps[event.key]();
      show();
      spot.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    box.addEventListener("blur", hide);
    sheet.addEventListener("pointermove", nearest);
    sheet.addEventListener("pointerdown", nearest);
    sheet.addEventListener("pointerleave", hide);
  }

  function enlarged(box, panels) {
    const image = box.querySelector("img");
    const copy = image.cloneNode();
    const sheet = make("div", { class: "sheet", style: `width:${ENLARGED * image.naturalWidth}px` }, copy);
    const paper = make("div", { class: "paper", tabindex: "0", role: "group", "aria-label": box.getAttribute("aria-label") }, sheet);
    const close = make("button", { type: "button" }, "Close");
    const dialog = make("dialog", { "aria-label": box.getAttribute("aria-label") }, make("div", {}, close), paper);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    readable(paper, sheet, panels);
    dialog.showModal();
  }

  const boxes = document.querySelectorAll("figure .paper");
  for (const box of boxes) {
    const data = document.getElementById(box.dataset.curves);
    const panels = data ? JSON.parse(data.textContent) : [];
    if (panels.length) {
      readable(box, box.querySelector(".sheet"), panels);
      box.setAttribute("aria-describedby", "reading-hint");
    }
    const button = make("button", { type: "button" }, "Enlarge", make("span", { class: "hidden" }, ` ${box.getAttribute("aria-label")}`));
    button.addEventListener("click", () => enlarged(box, panels));
    box.after(button);
  }
  if (boxes.length) {
    const hint = "Point at a curve to read its values. By keyboard, focus a figure and press ← → to follow a curve, ↑ ↓ for the next curve, Page Up and Page Down for the next panel.";
    boxes[0].before(make("p", { class: "source hint", id: "reading-hint" }, hint));
  }
})();
