// Pieces of the page. What people wrote is only ever put in as text.

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"], LARGEST = 4 * 1024 * 1024;
const LINK = /https?:\/\/[^\s<>"]*[^\s<>".,:;!?')\]}]/g;

export const $ = (id) => document.getElementById(id);

export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// A text, whose links can be followed.
export function linked(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    if (!URL.canParse(found[0])) continue;
    parts.push(text.slice(end, found.index), make("a", { href: found[0], target: "_blank", rel: "noopener noreferrer nofollow" }, found[0]));
    end = found.index + found[0].length;
  }
  return [...parts, text.slice(end)];
}

// The service gives a file one of few types, forbids to guess another, and runs nothing in it: a picture is safe to show.
export function shared(file) {
  const href = `/v1/files/${encodeURIComponent(file.id)}`;
  const link = make("a", { className: "file", href, download: file.name }, `${file.name} (${sizeOf(file.size)})`);
  if (!PICTURES.includes(file.type) || file.size > LARGEST) return link;
  const picture = make("img", { src: href, alt: "", loading: "lazy" });
  picture.addEventListener("error", () => picture.remove()); // expired, say
  link.prepend(picture);
  return link;
}

function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1_048_576 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1_048_576).toFixed(1)} MB`;
}

export function moment(seconds) {
  const at = new Date(seconds * 1000), today = at.toDateString() === new Date().toDateString();
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return today ? time : `${at.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}

// Whether a room that does not exist is to be made, and whether it is private.
export function agreed(name) {
  const box = $("make");
  $("make-name").textContent = `#${name}`;
  $("make-private").checked = false;
  box.returnValue = "";
  box.showModal();
  return new Promise((resolve) => {
    box.addEventListener("close", () => resolve(box.returnValue && { private: $("make-private").checked }), { once: true });
  });
}

// Act on what was written in the field of a form, and empty it.
export function onSubmit(form, field, act) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $(field).value.trim();
    $(field).value = "";
    act(text);
  });
}
