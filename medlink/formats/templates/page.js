"use strict";
const tip = document.getElementById("tip");
let closing = 0;

// The cards of the mention and of all mentions around it, the innermost first.
function show(mark) {
  clearTimeout(closing);
  const cards = [];
  for (let m = mark; m; m = m.parentElement.closest("mark[data-card]")) {
    const card = document.getElementById(m.dataset.card).cloneNode(true);
    card.removeAttribute("id");
    cards.push(card);
  }
  tip.replaceChildren(...cards);
  tip.hidden = false;
  const at = mark.getClientRects()[0], box = tip.getBoundingClientRect(), gap = 8;
  const below = at.bottom + gap + box.height <= innerHeight || at.top < box.height + gap;
  tip.style.left = scrollX + Math.max(gap, Math.min(at.left, document.documentElement.clientWidth - box.width - gap)) + "px";
  tip.style.top = scrollY + (below ? at.bottom + gap : at.top - box.height - gap) + "px";
}
function hide() { tip.hidden = true; }
function hideSoon() { clearTimeout(closing); closing = setTimeout(hide, 200); }
const markAt = event => event.target.closest?.("mark[data-card]");

document.addEventListener("pointerover", event => {
  const mark = markAt(event);
  if (mark) show(mark);
  else if (tip.contains(event.target)) clearTimeout(closing);
  else if (!tip.hidden) hideSoon();
});
document.addEventListener("focusin", event => { const mark = markAt(event); if (mark) show(mark); else if (!tip.contains(event.target)) hide(); });
document.addEventListener("keydown", event => { if (event.key === "Escape") hide(); });

// A row of a note's table lights up its mentions.
for (const [kind, on] of [["pointerover", true], ["pointerout", false]]) {
  document.addEventListener(kind, event => {
    const row = event.target.closest?.("tr[data-id]");
    if (!row?.dataset.id) return;
    for (const mark of row.closest("article").querySelectorAll("mark[data-id]"))
      if (mark.dataset.id === row.dataset.id) mark.classList.toggle("lit", on);
  });
}
