// A wide table's cells get the head of their column, for narrow.css. Names in a table may break behind an underscore.
document.addEventListener("DOMContentLoaded", () => {
  for (const name of document.querySelectorAll("article table code .pre")) {
    name.innerHTML = name.innerHTML.replaceAll("_", "_<wbr>");
  }
  for (const table of document.querySelectorAll("article table")) {
    const heads = Array.from(table.querySelectorAll("thead th"), (head) => head.textContent);
    if (heads.length < 4) continue;
    table.classList.add("wide");
    for (const row of table.tBodies[0].rows) {
      Array.from(row.cells).forEach((cell, place) => { cell.dataset.head = heads[place]; });
    }
  }
});
