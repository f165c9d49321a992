"""A view with pictures: what it gives the painter.

The cells below a picture are drawn as well: they are what is seen where the terminal draws no pictures, while something
covers the view, and in files.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from textual.geometry import Region

if TYPE_CHECKING:
    from tinygpt_tui.ui.pictures.pixels import Pixels


class Picture(NamedTuple):
    """A picture over the cells of `region`, from the corner of a view's content; `key` differs when it does.

    `draw` makes it for cells of (width, height) pixels each.
    """

    region: Region
    key: Hashable
    draw: Callable[[tuple[int, int]], Pixels]


class PictureView:
    """Mixed into a widget: the painter asks for its pictures after each update of the screen, so be quick."""

    cell_pixels: tuple[int, int] | None = None
    """The size of a cell where the terminal draws pictures; None: it does not, or has not been asked yet."""

    def use_pixels(self, cell: tuple[int, int]) -> None:
        """Note that the terminal draws pictures, with cells of this size."""
        self.cell_pixels = cell

    def pictures(self) -> Sequence[Picture]:
        """Return the pictures over the cells as they were drawn last."""
        return ()
