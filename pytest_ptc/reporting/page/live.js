// The page of an active run: loaded anew when the run has changed, and left as it was: what is
// unfolded, where it is scrolled to. What is asked for stands in the address.
(() => {
  const KEY = "ptc-live";
  const EVERY_MS = 1000;
  let left = null;
  try {
    left = JSON.parse(sessionStorage.getItem(KEY) || "null");
    sessionStorage.removeItem(KEY);
  } catch {
    left = null;
  }
  if (left) {
    for (const id of left.open) {
      const item = document.getElementById(id);
      if (item) item.open = true;
    }
    const search = document.getElementById("search");
    if (search && left.typing) search.focus({ preventScroll: true });
    scrollTo(0, left.top);
  }

  const renew = () => {
    const open = [...document.querySelectorAll("details[id][open]")].map((item) => item.id);
    const typing = document.activeElement === document.getElementById("search");
    sessionStorage.setItem(KEY, JSON.stringify({ open, typing, top: scrollY }));
    location.reload();
  };

  const look = async () => {
    try {
      const answer = await fetch("state", { cache: "no-store" });
      if (answer.ok && (await answer.json()).version !== document.body.dataset.version) {
        renew();
        return;
      }
    } catch {
      // Nobody serves it any more: the page stays as it is.
    }
    setTimeout(look, EVERY_MS);
  };
  setTimeout(look, EVERY_MS);
})();
