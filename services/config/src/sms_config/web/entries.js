// Lists of numbers that people paste: shows how a field is read, while it is typed.

import { h, plural } from "./dom.js";
import { range } from "./masks.js";

const BETWEEN = /[;,\n\r\t\v\f\u0085\u2028\u2029]+/;

// Two whole numbers with a dash between, and not one number that is written with hyphens: 202-555-0140.
const isRange = (entry) => {
  const halves = entry.split(/\s+[-–—]\s+|[-–—](?=\s*\+)/);
  if (halves.length === 2) return true;
  const plain = entry.split(/[-–—]/).map((half) => half.replace(/\D/g, ""));
  return plain.length === 2 && plain[0].length >= 7 && plain[1].length >= 2;
};

// What a text contains, in words: "12 numbers, 3 ranges (42 numbers in all)".
export function counted(text) {
  const all = text.split(BETWEEN).map((entry) => entry.trim()).filter(Boolean);
  const masks = all.filter((entry) => entry.includes("*"));
  const names = all.filter((entry) => /\p{L}/u.test(entry) && !entry.includes("*"));
  const ranges = all.filter((entry) => !masks.includes(entry) && !names.includes(entry) && isRange(entry));
  const numbers = all.length - masks.length - names.length - ranges.length;
  const said = [[numbers, "number"], [ranges.length, "range"], [masks.length, "mask"], [names.length, "name"]].filter(([count]) => count > 0);
  if (said.length === 0) return "no numbers";
  const sizes = ranges.map((entry) => range(entry.replace(/[–—]/g, "-"))?.size ?? Number.NaN);
  const whole = sizes.reduce((sum, size) => sum + size, numbers);
  const total = ranges.length && !Number.isNaN(whole) ? ` (${plural(whole, "number")} in all)` : "";
  return said.map(([count, noun]) => plural(count, noun)).join(", ") + total;
}

// Show below a list field what it contains.
export function counting(field) {
  const input = field.querySelector("input, textarea");
  const summary = h("p", { class: "hint", "aria-live": "polite" });
  const update = () => {
    summary.hidden = input.value.trim() === "";
    summary.textContent = `Read as ${counted(input.value)}.`;
  };
  input.addEventListener("input", update);
  input.after(summary);
  update();
  return field;
}
