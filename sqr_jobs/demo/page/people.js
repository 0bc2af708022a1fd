// The list of people to choose from, by what to expect of a report on them.

import { element } from "./exchanges.js";

const GROUPS = [
  ["Ordinary people", [undefined]],
  ["What can go wrong", ["slow", "fails", "not connected"]],
  ["Names that break careless code", ["traps"]],
];
const HINTS = { slow: "takes 8 s", fails: "fails", "not connected": "is refused" };

/** Fill the fieldset with a radio button for each person; the first is chosen. */
export function drawPeople(place, people) {
  for (const [title, notes] of GROUPS) {
    const members = people.filter((person) => notes.includes(person.note));
    if (members.length) place.append(element("h3", { textContent: title }), ...members.map(choice));
  }
  place.querySelector("input").checked = true;
}

function choice({ userId, name, note }) {
  const hint = HINTS[note];
  return element(
    "label",
    {},
    element("input", { type: "radio", name: "person", value: userId }),
    element("bdi", { textContent: name }),
    ...(hint ? [element("small", { textContent: hint })] : []),
  );
}
