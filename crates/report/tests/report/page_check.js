// What a reader needs of a page, looked for in the page itself; what is missing is written into its root.
const faults = [];
const all = (selector) => [...document.querySelectorAll(selector)];
if (!document.documentElement.lang) faults.push("no language");
if (!document.title.trim()) faults.push("no title");
if (all("main").length !== 1) faults.push("not one main part");
let level = 0;
for (const heading of all("h1, h2, h3")) {
  const now = Number(heading.tagName[1]);
  if (now > level + 1) faults.push(`heading skips: ${heading.textContent}`);
  level = now;
}
for (const svg of all("svg")) {
  for (const id of (svg.getAttribute("aria-labelledby") || "none").split(" ")) {
    const named = document.getElementById(id);
    if (!named || !named.textContent.trim()) faults.push(`picture without ${id}`);
  }
}
for (const table of all("table")) {
  if (!table.caption || !table.caption.textContent.trim()) faults.push("table without caption");
  if ([...table.querySelectorAll("th")].some((cell) => !cell.scope)) faults.push("heading of no row or column");
  const columns = table.tHead.rows[0].cells.length;
  if ([...table.tBodies[0].rows].some((row) => row.cells.length !== columns)) faults.push("ragged table");
}
const ids = all("[id]").map((element) => element.id);
if (new Set(ids).size !== ids.length) faults.push("an id twice");
if (document.documentElement.scrollWidth > innerWidth + 1) faults.push(`wider than the window: ${document.documentElement.scrollWidth}`);
for (const box of all(".wide")) if (box.tabIndex !== 0) faults.push("scrolled by mouse only");

const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const numbers = (color) => color.match(/[\d.]+/g).map(Number);
const light = (color) => {
  const [red, green, blue] = numbers(color).map(channel);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const ground = light(getComputedStyle(document.body).backgroundColor);
let texts = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const parent = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || parent.closest("script, desc, svg title")) continue;
  const style = getComputedStyle(parent);
  const ink = light(parent.closest("svg") ? style.fill : style.color);
  const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
  texts += 1;
  if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(1)} of "${walker.currentNode.textContent.trim().slice(0, 30)}"`);
}
const scheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
document.documentElement.dataset.checked = `${scheme}, ${texts > 20 ? "many texts" : "few texts"}, ${faults.join("; ") || "no fault"}`;
