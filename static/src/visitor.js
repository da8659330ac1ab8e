// Small helps on top of pages that work without them: a faster way out, a word before
// the answers are cleared, "none of these" that unchecks the rest, and a print button.
(() => {
  "use strict";
  const $ = (selector) => document.querySelector(selector);

  // A page brought back by the Back button could show answers that are gone. The help page shows none, and it answers
  // a form: to load it again, the browser would ask whether to send the form again.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted && !$("input[name=after_help]")) window.location.reload();
  });

  const root = document.documentElement;
  const hide = () => { root.hidden = true; };
  const leave = $(".app-leave");
  const head = $(".app-masthead");
  const band = $("#app-more");

  // Leave: hide the page at the press, not when the next one arrives. Shift three times does the same: Shift alone,
  // not as a part of another key or of a click, and not where somebody types.
  if (leave) {
    leave.addEventListener("submit", hide);
    const typing = "input:not([type=radio]):not([type=checkbox]), select, textarea, [contenteditable]";
    let presses = [];
    let alone = false;
    const forget = () => { presses = []; alone = false; };
    document.addEventListener("pointerdown", forget);
    document.addEventListener("compositionstart", forget);
    document.addEventListener("keydown", (event) => {
      const other = event.key !== "Shift" || event.isComposing || event.altKey || event.ctrlKey || event.metaKey;
      if (other || event.target.closest(typing)) forget();
      else if (!event.repeat) alone = true;
    });
    document.addEventListener("keyup", (event) => {
      if (event.key !== "Shift" || !alone) return forget();
      alone = false;
      presses = [...presses.filter((time) => event.timeStamp - time < 1500), event.timeStamp];
      if (presses.length === 3) leave.requestSubmit();
    });
  }

  // The head sticks unless it takes more than a fifth of the height, and the band below it unless a third; what has the
  // focus is never under them.
  if (head) {
    const measure = () => {
      const sticky = (part) => getComputedStyle(part).position === "sticky";
      root.style.setProperty("--stick", head.offsetHeight > window.innerHeight / 5 ? "relative" : "");
      const covered = sticky(head) ? head.offsetHeight : 0;
      let more = 0;
      if (band) {
        const height = band.firstElementChild.offsetHeight;
        const tall = height > window.innerHeight / 3;
        Object.assign(band.style, tall ? { position: "static", height: "auto" } : { position: "", height: "" });
        more = sticky(band) ? height : 0;
      }
      root.style.setProperty("--head", `${covered}px`);
      root.style.setProperty("--covered", `${covered + more}px`);
    };
    const sizes = new ResizeObserver(measure);
    sizes.observe(head);
    if (band) sizes.observe(band.firstElementChild);
    window.addEventListener("resize", measure);
  }

  // Five minutes before the answers are cleared, offer to keep them; once they are cleared, the page shows none. The time
  // is looked up, not counted: timers stand still while a device sleeps.
  if (band) {
    const until = (seconds) => Date.now() + seconds * 1000;
    let end = until(Number(document.body.dataset.clearsIn));
    let declined = false;
    const close = () => {
      band.hidden = true;
      declined = true;
    };
    const look = () => {
      if (root.hidden) return;
      if (Date.now() > end) {
        hide();
        window.location.replace(window.location.pathname);
      } else if (Date.now() > end - 300_000 && !declined) {
        band.hidden = false;
      }
    };
    window.setInterval(look, 1000);
    for (const event of ["pageshow", "focus"]) window.addEventListener(event, look);
    document.addEventListener("visibilitychange", look);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !band.hidden) close(); });
    band.querySelector("button[type=button]").addEventListener("click", close);
    band.addEventListener("submit", async (event) => {
      event.preventDefault();
      const form = event.target;
      const { name, value } = event.submitter;
      const chosen = Object.assign(document.createElement("input"), { type: "hidden", name, value });
      form.append(chosen);
      try {
        const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
        const seconds = /data-clears-in="(\d+)"/.exec(await answer.text());
        if (!answer.ok || /notice=(again|lost)/.test(answer.url) || !seconds) throw new Error("refused");
        end = until(Number(seconds[1]));
        chosen.remove();
        band.hidden = true;
        declined = false;
      } catch {
        form.submit();
      }
    });
  }

  // A box that stands alone unticks the others, and they untick it.
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.type !== "checkbox" || !box.checked) return;
    for (const other of document.querySelectorAll(`input[name="${box.name}"]`)) {
      if (other !== box && ("alone" in box.dataset || "alone" in other.dataset)) other.checked = false;
    }
  });

  const print = $("[data-print]");
  if (print) {
    print.hidden = false;
    print.addEventListener("click", () => window.print());
  }

  // After a mistake, start where it is explained.
  const mistake = $(".nhsuk-error-summary");
  if (mistake) mistake.focus();
})();
