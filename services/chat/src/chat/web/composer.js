// The box in which one writes: a message, a command, what shall stand instead, or a file.
import { $ } from "./elements.js";

const TYPING_SENT = 3000; // milliseconds

export class Composer {
  #act;
  #typed = 0;
  #editing = null;

  // `act` has what comes of it: say, edit, command, typing, share.
  constructor(act) {
    this.#act = act;
    $("say").addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    $("text").addEventListener("keydown", (event) => this.#key(event));
    $("text").addEventListener("input", () => this.#typing());
    $("unedit").addEventListener("click", () => this.clear());
    $("file").addEventListener("change", () => this.#share());
  }

  edit(event, text) {
    this.#editing = event;
    $("text").value = text;
    $("editing").hidden = false;
    $("text").focus();
  }

  clear() {
    this.#editing = null;
    $("text").value = "";
    $("editing").hidden = true;
  }

  // What could not be done is still there to be sent again.
  async #submit() {
    const text = $("text").value.trim(), editing = this.#editing;
    if (!text) return;
    this.clear();
    if (editing) return (await this.#act.edit(editing, text)) || this.edit(editing, text);
    if (!text.startsWith("/")) return this.#act.say(text);
    if (!(await this.#act.command(text)) && !$("text").value) $("text").value = text;
  }

  #key(event) {
    if (event.key === "Escape" && this.#editing) return this.clear();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("say").requestSubmit();
  }

  #typing() {
    const now = Date.now();
    if (now - this.#typed <= TYPING_SENT || this.#editing || $("text").value.startsWith("/")) return;
    this.#typed = now;
    this.#act.typing();
  }

  #share() {
    const [file] = $("file").files;
    $("file").value = "";
    if (file) this.#act.share(file);
  }
}
