// Number masks as people write them, read well enough to show what they mean. The API decides what is right.

export const bare = (text) => {
  const plain = text.replace(/[\s().\-/]/g, "");
  const digits = plain.replace(/^\+/, "");
  return plain === digits && digits.startsWith("00") && digits.length > 4 ? digits.slice(2) : digits;
};

const digits = (text) => /^[0-9]{1,20}$/.test(text);

// A range `a-b` of numbers with equally many digits, or null.
export function range(text) {
  const apart = text.split(/\s+-\s+/);
  const ends = (apart.length === 2 ? apart : text.split("-")).map(bare);
  if (ends.length !== 2 || !ends.every(digits) || ends[0].length !== ends[1].length || ends[0] > ends[1]) return null;
  return { first: ends[0], last: ends[1], size: Number(BigInt(ends[1]) - BigInt(ends[0])) + 1 };
}

const parts = (mask) => mask.split(";").map((part) => part.trim()).filter(Boolean);

// How closely a mask names what it matches, as the rule engine has it: the lower comes first.
export function closeness(mask) {
  const each = parts(mask).map((part) => {
    if (part.includes("*")) return [1, 10 ** (part.split("*").length - 1)];
    const span = range(part);
    return span === null ? [0, 1] : [0.5, span.size];
  });
  return each.sort(compare)[0] ?? [2, 0];
}

// Order lists of numbers.
export function compare(a, b) {
  const place = a.findIndex((value, at) => value !== b[at]);
  return place < 0 ? 0 : a[place] < b[place] ? -1 : 1;
}

// What a range of destinations means for a range of DIDs: a sentence, or null when there is no range of destinations.
export function mapping(dids, destination) {
  const to = range(destination.trim());
  if (to === null) return null;
  const from = parts(dids).length === 1 ? range(parts(dids)[0]) : null;
  if (from === null) return { fits: false, text: `A range of ${to.size} destinations needs one DID range of ${to.size} numbers.` };
  if (from.size !== to.size) return { fits: false, text: `The DID range has ${from.size} numbers and the destinations are ${to.size}.` };
  return { fits: true, text: `One to one: ${from.first} → ${to.first}, … ${from.last} → ${to.last}` };
}

// A number that a mask matches.
export function example(mask) {
  const first = parts(mask)[0] ?? "";
  return range(first)?.first ?? first.replaceAll("*", "0");
}
