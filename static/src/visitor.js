// Small helps on top of pages that work without them: a faster way out, a word before
// the answers are cleared, "none of these" that unticks the rest, and a print button.
(() => {
  "use strict";
  const $ = (selector) => document.querySelector(selector);

  // A page brought back by the Back button could show answers that are gone. The help page shows none, and it answers
  // a form: to load it again, the browser would ask whether to send the form again.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted && !$("input[name=after_help]")) window.location.reload();
  });

  // Leave: hide the page at the press, not when the next one arrives. Shift three times does the same.
  const leave = $(".app-leave");
  if (leave) {
    leave.addEventListener("submit", () => { document.documentElement.hidden = true; });
    let presses = [];
    document.addEventListener("keyup", (event) => {
      if (event.key !== "Shift") { presses = []; return; }
      presses = [...presses.filter((time) => event.timeStamp - time < 1500), event.timeStamp];
      if (presses.length === 3) leave.requestSubmit();
    });
    document.addEventListener("keydown", (event) => { if (event.key !== "Shift") presses = []; });
  }

  // Five minutes before the answers are cleared, offer to keep them. The page stays usable meanwhile:
  // help and the way out are never behind it. Once they are cleared, the page shows none.
  const dialog = $("#app-timeout");
  if (dialog && dialog.show) {
    let timers = [];
    const wait = (seconds) => {
      timers.forEach(window.clearTimeout);
      timers = [
        window.setTimeout(() => dialog.show(), Math.max(0, seconds - 300) * 1000),
        window.setTimeout(() => window.location.replace(window.location.pathname), (seconds + 1) * 1000),
      ];
    };
    wait(Number(document.body.dataset.clearsIn));
    dialog.querySelector("form[method=post]").addEventListener("submit", async (event) => {
      event.preventDefault();
      const form = event.target;
      try {
        const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
        if (!answer.ok || /notice=(again|lost)/.test(answer.url)) throw new Error("refused");
        dialog.close();
        wait(Number(document.body.dataset.longer));
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
