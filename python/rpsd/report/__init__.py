# SPDX-License-Identifier: MIT
"""Pictures of what a denoiser did, and a page of them (extra: plot)."""

from rpsd.report._canvas import to_png
from rpsd.report._figures import plot_result
from rpsd.report._html import to_html
from rpsd.report._plot import plot_denoised, plot_vintages

__all__ = ["plot_denoised", "plot_result", "plot_vintages", "to_html", "to_png"]
