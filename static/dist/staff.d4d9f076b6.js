// Says how many requests arrived since a list was opened, in a line of the page and in its title. It asks each minute
// while the page is in view, and stops when it is signed out.
(() => {
  "use strict";
  const line = document.querySelector("[data-arrivals]");
  if (!line) return;
  const { title } = document;
  const words = line.querySelector("[role=status]");
  let timer;

  const ask = async () => {
    window.clearTimeout(timer);
    if (document.hidden) return;
    try {
      const answer = await fetch(line.dataset.arrivals, { redirect: "manual" });
      if (!answer.ok) return;
      const { count, text } = await answer.json();
      if (words.textContent !== text) words.textContent = text;
      document.title = count ? `(${count}) ${title}` : title;
    } catch {
      // no network: ask again
    }
    timer = window.setTimeout(ask, 60_000);
  };
  document.addEventListener("visibilitychange", ask);
  timer = window.setTimeout(ask, 60_000);
})();
