"""Lines of tables in Markdown and LaTeX."""

from collections.abc import Sequence

__all__ = ["PAPER_NOTE", "latex_line", "latex_text", "markdown_row", "markdown_rows"]

_LATEX = {"α": r"$\alpha$", "β": r"$\beta$", "₁": "$_1$", "₂": "$_2$", "₃": "$_3$", "×": r"$\times$",
          "%": r"\%", "°": r"$^\circ$", "−": "$-$", "–": "--"}  # fmt: skip

PAPER_NOTE = (
    "The paper's numbers, not comparable: another model, other images, and metrics that leave misses "
    "out; one run per row, no intervals."
)


def markdown_row(cells: Sequence[str]) -> str:
    """One row of a table."""
    return "| " + " | ".join(cells) + " |"


def markdown_rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table with its head."""
    return [markdown_row(cells) for cells in (head, ["---"] * len(head), *rows)]


def latex_text(text: str) -> str:
    """Text with LaTeX's commands for special characters."""
    for letter, command in _LATEX.items():
        text = text.replace(letter, command)
    return text


def latex_line(cells: Sequence[str]) -> str:
    """One row of a tabular."""
    return latex_text(" & ".join(cells)) + r" \\"
