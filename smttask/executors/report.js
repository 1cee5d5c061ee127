// A click on the head of a column sorts the table by it; another click turns the order.
const table = document.getElementById("tasks");
if (table) table.tHead.addEventListener("click", (event) => {
  const head = event.target.closest("th");
  if (!head) return;
  const column = head.cellIndex, isNumber = head.classList.contains("number");
  const before = head.getAttribute("aria-sort");
  const order = before ? (before === "descending" ? 1 : -1) : (isNumber ? -1 : 1);
  const key = (row) => isNumber ? Number(row.cells[column].dataset.v) : row.cells[column].textContent;
  const rows = Array.from(table.tBodies[0].rows, (row) => [key(row), row]);
  rows.sort(([a], [b]) => order * (isNumber ? a - b : a.localeCompare(b)));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order > 0 ? "ascending" : "descending");
  table.tBodies[0].append(...rows.map(([, row]) => row));
});
